/* An intrusive doubly linked list; an element is on one list at a time, or on none. */
#ifndef DBAL__LIST_H
#define DBAL__LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dbal__list {
    struct dbal__list *next, *prev;
} dbal__list;

/* the struct that holds a member */
#define DBAL__OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void
dbal__list_init(dbal__list *list)
{
    list->next = list->prev = list;
}

static inline bool
dbal__list_empty(const dbal__list *list)
{
    return list->next == list;
}

static inline void
dbal__list_insert_before(dbal__list *place, dbal__list *element)
{
    element->prev = place->prev;
    element->next = place;
    place->prev->next = element;
    place->prev = element;
}

static inline void
dbal__list_push(dbal__list *list, dbal__list *element)
{
    dbal__list_insert_before(list, element);
}

static inline void
dbal__list_push_front(dbal__list *list, dbal__list *element)
{
    dbal__list_insert_before(list->next, element);
}

/* leaves the element on no list; harmless when it is on none already */
static inline void
dbal__list_remove(dbal__list *element)
{
    element->prev->next = element->next;
    element->next->prev = element->prev;
    dbal__list_init(element);
}

/* the first element, taken off, or NULL */
static inline dbal__list *
dbal__list_pop(dbal__list *list)
{
    dbal__list *first = list->next;
    if (first == list)
        return NULL;
    dbal__list_remove(first);
    return first;
}

/* moves all elements to the end of another list */
static inline void
dbal__list_move_all(dbal__list *from, dbal__list *to)
{
    dbal__list *element;
    while ((element = dbal__list_pop(from)) != NULL)
        dbal__list_push(to, element);
}

#endif
