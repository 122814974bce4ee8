/* Which process this is: the number changes in the child of a fork. */
#ifndef DBAL__FORK_H
#define DBAL__FORK_H

unsigned dbal__fork_generation(void);

#endif
