/*
 * A module for passwords.c: crypt(3), which takes its time on purpose, and whose answer is in memory that
 * the next call overwrites: a function of threadlevel 0.
 */
#include <crypt.h>
#include <dbal/module.h>
#include <stdlib.h>
#include <string.h>

/* A word, and a new hash of it. */
void *
dbal_module_call(const void *data, size_t size, size_t *ret_size, const char **ret_error)
{
    char *word = strndup(data, size);
    const char *salt = crypt_gensalt("$6$", 50000, NULL, 0);
    char *hash = word != NULL && salt != NULL ? crypt(word, salt) : NULL;
    char *answer = hash != NULL && hash[0] != '*' ? strdup(hash) : NULL;
    free(word);
    if (answer == NULL)
        *ret_error = "it cannot be hashed";
    else
        *ret_size = strlen(answer);
    return answer;
}
