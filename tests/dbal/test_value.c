/* Values: how they are made, and packed into a block and out again. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/value.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"

START_TEST(values_are_what_they_are_made_of)
{
    static const uint8_t uuid[16] = {1, 2, 3, [15] = 16};
    ck_assert_int_eq(dbal_null().type, DBAL_NULL);
    ck_assert(dbal_bool(true).as.boolean && !dbal_bool(false).as.boolean);
    ck_assert_int_eq(dbal_int64(INT64_MIN).as.integer, INT64_MIN);
    ck_assert(isnan(dbal_double(NAN).as.real));
    ck_assert_int_eq(dbal_date(-1).type, DBAL_DATE);
    ck_assert_int_eq(dbal_time(5).type, DBAL_TIME);
    ck_assert_int_eq(dbal_timestamp(-5).as.integer, -5);
    ck_assert_int_eq(dbal_uuid(uuid).as.uuid[15], 16);
    ck_assert_uint_eq(dbal_text("four").as.bytes.size, 4);
    ck_assert_uint_eq(dbal_textn("a\0b", 3).as.bytes.size, 3);
    ck_assert_int_eq(dbal_numeric("1.10").type, DBAL_NUMERIC);
    ck_assert_int_eq(dbal_json("{}").type, DBAL_JSON);
    ck_assert_int_eq(dbal_blob(NULL, 0).type, DBAL_BLOB);
    ck_assert_ptr_null(dbal_text("x").name);
    ck_assert_str_eq(dbal_named("n", dbal_int64(1)).name, "n");
}
END_TEST

START_TEST(text_that_is_null_makes_a_null)
{
    ck_assert_int_eq(dbal_text(NULL).type, DBAL_NULL);
    ck_assert_int_eq(dbal_numeric(NULL).type, DBAL_NULL);
    ck_assert_int_eq(dbal_json(NULL).type, DBAL_NULL);
    ck_assert_int_eq(dbal_textn(NULL, 0).type, DBAL_TEXT);
}
END_TEST

START_TEST(types_have_names)
{
    ck_assert_str_eq(dbal_type_name(DBAL_NULL), "null");
    ck_assert_str_eq(dbal_type_name(DBAL_TIMESTAMP), "timestamp");
    ck_assert_str_eq(dbal_type_name(DBAL_ARRAY_TEXT), "array of text");
    ck_assert_str_eq(dbal_type_name((dbal_type)99), "unknown");
    ck_assert_str_eq(dbal_type_name((dbal_type)-1), "unknown");
    for (int type = DBAL_NULL; type <= DBAL_ARRAY_TEXT; type++)
        ck_assert_ptr_nonnull(dbal_type_name((dbal_type)type));
}
END_TEST

START_TEST(params_macro_counts)
{
    dbal_params none = DBAL_PARAMS(), two = DBAL_PARAMS(dbal_int64(1), dbal_text("x"));
    ck_assert_uint_eq(none.count, 0);
    ck_assert_uint_eq(two.count, 2);
    ck_assert_int_eq(two.values[0].as.integer, 1);
    ck_assert_int_eq(two.values[1].type, DBAL_TEXT);
    ck_assert_uint_eq(DBAL_NO_PARAMS.count, 0);
}
END_TEST

/* packing */

enum { MOST = 40, LONGEST = 300, ELEMENTS = 12 };

typedef struct source {
    char bytes[LONGEST + 1];
    int64_t integers[ELEMENTS];
    char texts[ELEMENTS][24];
    const char *pointers[ELEMENTS];
} source;

static chance luck;
static source sources[MOST];

/* Bytes of any kind; those of arrays of texts hold no NUL. */
static size_t
fill(char *to, size_t most, bool nul)
{
    size_t size = chance_below(&luck, 4) == 0 ? 0 : chance_below(&luck, (unsigned)most);
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(nul ? chance_below(&luck, 256) : 1 + chance_below(&luck, 255));
    to[size] = '\0';
    return size;
}

static dbal_value
array_of_texts(source *from)
{
    unsigned count = chance_below(&luck, ELEMENTS);
    for (unsigned i = 0; i < count; i++) {
        fill(from->texts[i], sizeof from->texts[i], false);
        from->pointers[i] = chance_below(&luck, 4) ? from->texts[i] : NULL;
    }
    return dbal_array_text(count > 0 ? from->pointers : NULL, count);
}

static dbal_value
array_of_integers(source *from)
{
    unsigned count = chance_below(&luck, ELEMENTS);
    for (unsigned i = 0; i < count; i++)
        from->integers[i] = (int64_t)chance_next(&luck);
    return dbal_array_int64(count > 0 ? from->integers : NULL, count);
}

static dbal_value
any_value(source *from)
{
    dbal_type type = (dbal_type)chance_below(&luck, DBAL_ARRAY_TEXT + 1);
    dbal_value value = {.type = type};
    switch (type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        value.as.bytes.size = fill(from->bytes, LONGEST, true);
        value.as.bytes.data = value.as.bytes.size > 0 ? from->bytes : NULL;
        return value;
    case DBAL_UUID:
        for (int i = 0; i < 16; i++)
            value.as.uuid[i] = (uint8_t)chance_below(&luck, 256);
        return value;
    case DBAL_DOUBLE:
        return dbal_double(chance_below(&luck, 9) ? (double)(int64_t)chance_next(&luck) : NAN);
    case DBAL_BOOL:
        return dbal_bool(chance_below(&luck, 2));
    case DBAL_ARRAY_INT64:
        return array_of_integers(from);
    case DBAL_ARRAY_TEXT:
        return array_of_texts(from);
    default:
        value.as.integer = type != DBAL_NULL ? (int64_t)chance_next(&luck) : 0;
        return value;
    }
}

static bool
same_texts(const dbal_value *value, const dbal_value *packed)
{
    const char *at = packed->as.bytes.data;
    const char *const *texts = value->as.bytes.data;
    for (size_t i = 0; i < value->as.bytes.size; i++) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if ((size == UINT32_MAX) != (texts[i] == NULL))
            return false;
        if (texts[i] == NULL)
            continue;
        if (size != strlen(texts[i]) || memcmp(at, texts[i], size) != 0)
            return false;
        at += size;
    }
    return true;
}

static bool
same_bytes(const dbal_value *value, const dbal_value *packed, size_t unit)
{
    size_t size = value->as.bytes.size;
    return packed->as.bytes.size == size &&
           (size == 0 || memcmp(packed->as.bytes.data, value->as.bytes.data, size * unit) == 0);
}

static bool
same(const dbal_value *value, const dbal_value *packed)
{
    if (value->type != packed->type)
        return false;
    switch (value->type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
        return same_bytes(value, packed, 1) &&
               ((const char *)packed->as.bytes.data)[value->as.bytes.size] == '\0';
    case DBAL_ARRAY_INT64:
        return same_bytes(value, packed, sizeof(int64_t)) &&
               (uintptr_t)packed->as.bytes.data % sizeof(int64_t) == 0;
    case DBAL_ARRAY_TEXT:
        return same_texts(value, packed);
    case DBAL_UUID:
        return memcmp(value->as.uuid, packed->as.uuid, 16) == 0;
    case DBAL_DOUBLE:
        return memcmp(&value->as.real, &packed->as.real, sizeof value->as.real) == 0;
    case DBAL_BOOL:
        return value->as.boolean == packed->as.boolean;
    default:
        return value->as.integer == packed->as.integer;
    }
}

/* Packs in some order into a block of just the size it asks for, and looks at it elsewhere. */
static void
round_trip(const dbal_value *values, const uint32_t *order, size_t count)
{
    size_t size = dbal__pack_size(values, order, count);
    void *block = malloc(size > 0 ? size : 1), *moved = malloc(size > 0 ? size : 1);
    dbal__pack(block, values, order, count);
    memcpy(moved, block, size);
    free(block);
    for (size_t i = 0; i < count; i++) {
        const dbal_value *value = &values[order != NULL ? order[i] : i];
        dbal_value packed = dbal__unpack(moved, i);
        ck_assert_msg(same(value, &packed), "seed %" PRIu64 ": a %s", luck.seed,
                      dbal_type_name(value->type));
    }
    free(moved);
}

START_TEST(values_of_every_type_survive_a_block_in_any_order)
{
    dbal_value values[MOST];
    uint32_t order[MOST];
    chance_init(&luck);
    for (unsigned round = chance_rounds(2000); round > 0; round--) {
        unsigned count = chance_below(&luck, MOST);
        for (unsigned i = 0; i < count; i++)
            values[i] = any_value(&sources[i]);
        round_trip(values, NULL, count);
        /* as named parameters are used: some twice, some not at all */
        for (unsigned i = 0; i < count; i++)
            order[i] = chance_below(&luck, count);
        round_trip(values, order, count);
    }
}
END_TEST

START_TEST(no_pointer_gets_into_the_block)
{
    dbal_value one = dbal_array_text(NULL, 0), two = dbal_array_int64(NULL, 0);
    dbal_value values[] = {one, two, dbal_blob(NULL, 0), dbal_textn(NULL, 0), dbal_null()};
    values[0].as.bytes.data = values;
    values[1].as.bytes.data = values;
    values[4].as.bytes.data = values;
    values[4].as.integer = 0;
    size_t size = dbal__pack_size(values, NULL, 5);
    char *block = calloc(1, size);
    uintptr_t pointer = (uintptr_t)values;
    dbal__pack(block, values, NULL, 5);
    for (size_t i = 0; i + sizeof pointer <= size; i++)
        ck_assert(memcmp(block + i, &pointer, sizeof pointer) != 0);
    free(block);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("value");
    const TTest *const tests[] = {
        values_are_what_they_are_made_of,
        text_that_is_null_makes_a_null,
        types_have_names,
        params_macro_counts,
        values_of_every_type_survive_a_block_in_any_order,
        no_pointer_gets_into_the_block,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], NULL, NULL);
    return suite_run(suite);
}
