/* Any bytes as a URL: read, and shown without its password. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    dbal_url *url = dbal__url_new(text, &fault);
    if (url == NULL && !dbal_fault_is_set(&fault))
        abort();
    if (url != NULL) {
        for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
            if (dbal_url_parameter(url, dbal_url_parameter_name(url, i)) == NULL)
                abort();
        }
        if (dbal_url_scheme(url) == NULL || dbal_url_path(url) == NULL)
            abort();
    }
    dbal__url_free(url);
    dbal__free(dbal__url_redact(text));
    dbal_fault_clear(&fault);
    free(text);
    return 0;
}
