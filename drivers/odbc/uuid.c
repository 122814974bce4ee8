#include "uuid.h"

static bool
is_before_dash(int index)
{
    return index == 4 || index == 6 || index == 8 || index == 10;
}

void
dbal__odbc_uuid_write(char *to, const uint8_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (is_before_dash(i))
            *to++ = '-';
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '\0';
}

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
dbal__odbc_uuid_read(const char *text, size_t size, uint8_t *ret_bytes)
{
    if (size == 38 && text[0] == '{' && text[37] == '}') {
        text++;
        size -= 2;
    }
    if (size != 36)
        return false;
    for (int i = 0; i < 16; i++) {
        if (is_before_dash(i) && *text++ != '-')
            return false;
        int high = hex(*text++), low = hex(*text++);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
