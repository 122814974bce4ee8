/*
 * Blocking code that is no database, off the loop, each by the level that its manual allows:
 * getaddrinfo() anywhere, an iconv_t always in the same thread, and gethostbyname(), whose answer is
 * in memory that the next call overwrites, in the one thread that is its own.
 *
 *     offload [host …]
 */
#include <arpa/inet.h>
#include <dbal.h>
#include <ev.h>
#include <iconv.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int failures;

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    fprintf(stderr, "%s: %s\n", (const char *)arg, dbal_error_message(dbal_outcome_error(in)));
    failures++;
    return dbal_done();
}

/* Shows an answer, which is text from malloc(); for the loop. */
static dbal_outcome
show(dbal_outcome in, void *arg)
{
    printf("%s: %s\n", (const char *)arg, (const char *)dbal_outcome_value(in, free));
    return in;
}

/* ---- level 3: in any thread, and in several at once ---- */

static dbal_outcome
look_up(void *arg)
{
    struct addrinfo *found, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    int code = getaddrinfo(arg, NULL, &hints, &found);
    if (code != 0)
        return dbal_fail(dbal_error_new(DBAL_ERROR_OPERATIONAL, "%s", gai_strerror(code)));
    char *text = malloc(INET_ADDRSTRLEN);
    if (text != NULL)
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr, text,
                  INET_ADDRSTRLEN);
    freeaddrinfo(found);
    return text != NULL ? dbal_ok(text, free)
                        : dbal_fail(dbal_error_new(DBAL_ERROR_NO_MEMORY, "no memory"));
}

/* ---- level 1: what belongs together stays in one thread, in order ---- */

typedef struct conversion {
    iconv_t state; /* opened, used and closed in the same thread */
    const char *latin;
    size_t size;
} conversion;

static dbal_outcome
begin(void *arg)
{
    conversion *self = arg;
    self->state = iconv_open("UTF-8", "ISO-8859-1");
    return self->state != (iconv_t)-1
               ? dbal_done()
               : dbal_fail(dbal_error_new(DBAL_ERROR_NOT_SUPPORTED, "no such conversion"));
}

static dbal_outcome
convert(void *arg)
{
    conversion *self = arg;
    size_t left = self->size, room = 2 * self->size;
    char *from = (char *)self->latin, *text = calloc(1, room + 1), *to = text;
    if (text == NULL || iconv(self->state, &from, &left, &to, &room) == (size_t)-1) {
        free(text);
        return dbal_fail(dbal_error_new(DBAL_ERROR_DATA, "it cannot be converted"));
    }
    return dbal_ok(text, free);
}

static dbal_outcome
end(void *arg)
{
    conversion *self = arg;
    iconv_close(self->state);
    return dbal_done();
}

/* ---- level 0: one thread of the process, whoever asks ---- */

static dbal_outcome
look_up_as_in_1983(void *arg)
{
    const struct hostent *found = gethostbyname(arg);
    char *text = found != NULL ? strdup(found->h_name) : NULL;
    return text != NULL ? dbal_ok(text, free)
                        : dbal_fail(dbal_error_new(DBAL_ERROR_OPERATIONAL, "no such host"));
}

/* Never NULL: without memory there is nothing to show. */
static dbal_gate *
make_gate(dbal_loop *loop, int threadlevel, const dbal_gate_options *options)
{
    dbal_error *error = NULL;
    dbal_gate *gate = dbal_gate_new(loop, threadlevel, options, &error);
    if (gate != NULL)
        return gate;
    fprintf(stderr, "%s\n", dbal_error_message(error));
    exit(1);
}

int
main(int argc, char **argv)
{
    static char localhost[] = "localhost";
    static conversion word = {.latin = "na\xefve caf\xe9", .size = 10};
    struct ev_loop *ev = EV_DEFAULT;
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_gate *anywhere = make_gate(loop, 3, NULL);
    dbal_gate *pinned = make_gate(loop, 1, NULL);
    dbal_gate *alone = make_gate(loop, 0, DBAL_GATE(.library = "resolver"));

    for (int i = argc > 1 ? 1 : 0; i < argc; i++) {
        char *host = argc > 1 ? argv[i] : localhost;
        dbal_deferred_add_callbacks(dbal_gate_call(anywhere, NULL, look_up, host), show, complain,
                                    host);
        dbal_deferred_add_callbacks(dbal_gate_call(alone, NULL, look_up_as_in_1983, host), show,
                                    complain, host);
    }
    dbal_deferred_add_errback(dbal_gate_call(pinned, &word, begin, &word), complain, "begin");
    dbal_deferred_add_callbacks(dbal_gate_call(pinned, &word, convert, &word), show, complain,
                                "converted");
    dbal_deferred_add_errback(dbal_gate_call(pinned, &word, end, &word), complain, "end");
    ev_run(ev, 0);
    dbal_loop_free(loop);
    return failures > 0;
}
