#include "dbal/runner.h"

#include "dbal/clock.h"
#include "dbal/error.h"

/* So many statements of a group that take less than this (ns) are measured together. */
enum { TOGETHER = 4, BRIEF = 10000 };
/* Bytes of results that are counted together: see budget.h. */
enum { COUNTED = 4096 };
/* `current` while a helper interrupts; no job has this number. */
static const uint64_t INTERRUPTING = UINT64_MAX;

bool
dbal__runner_init(dbal__runner *runner, dbal__channel *channel, bool dedicated)
{
    dbal__home *home = dbal__home_new();
    if (home == NULL)
        return false;
    *runner = (dbal__runner){.channel = channel, .home = home, .dedicated = dedicated};
    pthread_mutex_init(&runner->guard, NULL);
    return true;
}

void
dbal__runner_fini(dbal__runner *runner)
{
    pthread_mutex_destroy(&runner->guard);
    dbal__home_close(runner->home);
}

void
dbal__runner_bury(dbal__runner *runner, dbal__worker *worker)
{
    runner->dead = true;
    if (runner->dedicated)
        atomic_store(&worker->engaged, true);
}

/* ---- interrupting -------------------------------------------------------------------------------- */

/* From here on it may be interrupted. */
static void
expose(dbal__runner *runner, uint64_t number)
{
    if (runner->interruptible)
        atomic_store_explicit(&runner->current, number, memory_order_release);
}

/* When this has returned, nobody interrupts it any more: one who is at it is waited for. */
static void
cover(dbal__runner *runner)
{
    if (!runner->interruptible)
        return;
    if (__builtin_expect(atomic_exchange(&runner->current, 0) == INTERRUPTING, 0)) {
        pthread_mutex_lock(&runner->guard);
        pthread_mutex_unlock(&runner->guard);
    }
}

void
dbal__runner_interrupt(dbal__runner *runner, uint64_t number)
{
    uint64_t current = number, interrupting = INTERRUPTING;
    /* another helper is at it, which may take long; whoever still wants it then sends again */
    if (pthread_mutex_trylock(&runner->guard) != 0)
        return;
    if (atomic_compare_exchange_strong(&runner->current, &current, INTERRUPTING)) {
        dbal__channel *channel = runner->channel;
        dbal__entry_interrupt_begin(&channel->entry, channel->driver->driver->name);
        channel->driver->driver->blocking->interrupt(channel->connection);
        dbal__entry_interrupt_end(&channel->entry);
        /* unless it has ended meanwhile */
        atomic_compare_exchange_strong(&runner->current, &interrupting, number);
    }
    pthread_mutex_unlock(&runner->guard);
}

/* ---- running --------------------------------------------------------------------------------------- */

/* Between two sets of a group: a driver whose statements are short may never look by itself. */
static bool
must_stop(const dbal_request *request, dbal_fault *fault)
{
    bool late = request->deadline != DBAL__NEVER && dbal__monotonic() >= request->deadline;
    if (!late && !dbal_request_stopped(request))
        return false;
    dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped between two sets");
    return true;
}

static bool
run_set(dbal__runner *runner, dbal__job *job, dbal_fault *fault)
{
    dbal__channel *channel = runner->channel;
    dbal_request *request = &job->request;
    size_t size;
    request->block = dbal__group_walk(job->group, &size);
    if (request->result == NULL)
        request->result = dbal__home_result(runner->home, request->max_result_bytes);
    if (request->result == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
        return false;
    }
    if (channel->driver->driver->blocking->run(channel->connection, request, fault))
        return request->refusal == NULL;
    /* what has done something cannot begin anew */
    if (fault->needs_token && job->group->done > 0) {
        dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "XX000",
                       "the statement turned out to write in the middle of a batch");
        fault->needs_token = false;
    }
    return false;
}

/* One set after the other; what each did is kept, and its result dropped. */
static bool
run_group(dbal__runner *runner, dbal__job *job, dbal_fault *fault)
{
    dbal__group *group = job->group;
    dbal_request *request = &job->request;
    dbal__group_rewind(group);
    while (group->done < group->count && !group->gave_rows && !atomic_load(&group->doomed)) {
        if (must_stop(request, fault) || !run_set(runner, job, fault))
            return false;
        dbal__group_keep(group, request->result);
        request->result = dbal_result_unref(request->result);
    }
    return true;
}

static bool
call_driver(dbal__runner *runner, dbal__job *job, dbal_fault *fault)
{
    dbal__channel *channel = runner->channel;
    const dbal_blocking *face = channel->driver->driver->blocking;
    if (job->group != NULL)
        return run_group(runner, job, fault);
    if (job->kind == DBAL__JOB_BACKUP)
        return face->backup(channel->connection, &job->request, fault);
    return face->run(channel->connection, &job->request, fault);
}

static void
run_request(dbal__runner *runner, dbal__job *job)
{
    dbal__channel *channel = runner->channel;
    const dbal_blocking *face = channel->driver->driver->blocking;
    dbal_fault fault = DBAL__FAULT_INIT;
    bool ok = false;

    job->request.result = dbal__home_result(runner->home, job->request.max_result_bytes);
    bool begun = job->request.result != NULL;
    dbal__runner_enter(runner, "run");
    if (begun) {
        expose(runner, job->number);
        ok = call_driver(runner, job, &fault);
        cover(runner);
    } else {
        dbal_fault_set(&fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        dbal_fault_set_execution(&fault, DBAL_EXECUTION_NOT_SENT);
    }
    /* also of one that could not begin: what was open is open still */
    job->in_transaction = face->in_transaction(channel->connection);
    dbal__runner_leave(runner);
    dbal__job_end(job, ok, &fault);
}

static void
run_reset(dbal__runner *runner, dbal__job *job)
{
    dbal__channel *channel = runner->channel;
    const dbal_blocking *face = channel->driver->driver->blocking;
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__runner_enter(runner, "reset");
    job->ok = face->reset(channel->connection, &fault);
    job->in_transaction = face->in_transaction(channel->connection);
    dbal__runner_leave(runner);
    if (!job->ok)
        job->error = dbal__fault_take(&fault);
    dbal_fault_clear(&fault);
}

static void
run_upkeep(dbal__runner *runner, dbal__job *job)
{
    dbal__channel *channel = runner->channel;
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__runner_enter(runner, "upkeep");
    job->ok = channel->driver->driver->blocking->upkeep(channel->connection, &fault);
    dbal__runner_leave(runner);
    if (!job->ok)
        job->error = dbal__fault_take(&fault);
    dbal_fault_clear(&fault);
}

/*
 * How long its statement takes, for those behind it. A write by itself tells little: most of its
 * time is that of its commit.
 */
static void
learn(const dbal__job *job, int64_t took)
{
    const dbal_request *request = &job->request;
    if (job->kind == DBAL__JOB_STATEMENT && request->sql != NULL && request->deliver == NULL &&
        job->group == NULL && !job->needs_token &&
        (job->grouped || job->share != DBAL_SHARE_COMMIT))
        dbal__sql_learn(request->sql, took);
}

static void
execute(dbal__runner *runner, dbal__job *job, int64_t began)
{
    job->began = began;
    if (job->kind == DBAL__JOB_UPKEEP)
        run_upkeep(runner, job);
    else if (job->kind == DBAL__JOB_RESET)
        run_reset(runner, job);
    else
        run_request(runner, job);
}

void
dbal__runner_look(dbal__runner *runner)
{
    runner->looked = dbal__monotonic();
    runner->unlooked = 0;
    runner->last = NULL;
}

void
dbal__runner_execute(dbal__runner *runner, dbal__job *job, int64_t began)
{
    execute(runner, job, began);
    dbal__runner_look(runner);
    job->ended = runner->looked;
    learn(job, job->ended - job->began);
}

/*
 * The same for one of a group. To look at the clock takes a good part of the time of a quick read: a
 * few of the same statement are measured together.
 */
static void
execute_next(dbal__runner *runner, dbal__job *job)
{
    const dbal__sql *sql = job->request.sql;
    execute(runner, job, runner->looked);
    job->ended = runner->looked;
    bool same = sql == runner->last;
    /* one that somebody follows is measured by itself */
    if (job->request.clock == NULL && same && runner->unlooked + 1 < TOGETHER &&
        atomic_load_explicit(&sql->mean, memory_order_relaxed) < BRIEF) {
        runner->unlooked++;
        return;
    }
    unsigned count = runner->unlooked + 1;
    dbal__runner_look(runner);
    runner->last = sql;
    job->ended = runner->looked;
    if (same || count == 1)
        learn(job, (runner->looked - job->began) / count);
}

/* Whether a session's statement goes back because one before it went back for the token. */
static bool
bounced(dbal__runner *runner, dbal__job *job)
{
    if (job->request.has_token || job->alone || !job->request.in_order)
        runner->bounces = false;
    if (runner->bounces)
        job->needs_token = true;
    return runner->bounces;
}

static bool
lost_connection(const dbal__job *job)
{
    return job->error != NULL && dbal_error_connection_lost(job->error);
}

/*
 * One that was silent for long is asked whether it lives: a server that has gone without a word is
 * seen before anything is lost there. False: it does not, and the job has not begun.
 */
static bool
validate(dbal__runner *runner, dbal__job *job, dbal__worker *worker)
{
    dbal__channel *channel = runner->channel;
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__worker_announce(worker); /* it may take long */
    job->asked = dbal__monotonic();
    dbal__runner_enter(runner, "ping");
    job->unsound = !channel->driver->driver->blocking->ping(channel->connection, &fault);
    dbal__runner_leave(runner);
    dbal__runner_look(runner);
    if (job->unsound) {
        dbal_error *cause = dbal__fault_take(&fault);
        job->error = dbal__error_lost(cause, DBAL_EXECUTION_NOT_SENT);
        dbal_error_unref(cause);
        job->ended = runner->looked;
        dbal__runner_bury(runner, worker);
    }
    dbal_fault_clear(&fault);
    return !job->unsound;
}

/* It takes a connection: one that is dead is none. */
static void
grant(dbal__runner *runner, dbal__job *job, dbal__worker *worker)
{
    atomic_store(&worker->engaged, true);
    if (runner->dead)
        job->error = dbal__error_lost(NULL, DBAL_EXECUTION_NOT_SENT);
    else if (runner->channel->validate_after != DBAL__NEVER &&
             dbal__runner_is_silent(runner, dbal__monotonic()) && validate(runner, job, worker))
        job->ended = runner->looked;
}

/* One that is the first for a while. A session was asked before it began, and may be silent. */
static void
do_first(dbal__runner *runner, dbal__job *job, dbal__worker *worker)
{
    int64_t now = dbal__monotonic();
    bool may_ask = job->kind == DBAL__JOB_STATEMENT && !job->request.in_order;
    if (!may_ask || !dbal__runner_is_silent(runner, now))
        dbal__runner_execute(runner, job, now);
    else if (validate(runner, job, worker))
        dbal__runner_execute(runner, job, runner->looked);
}

/* What may begin. `next`: right after one of its group. */
static void
do_one(dbal__runner *runner, dbal__job *job, bool own, bool next, dbal__worker *worker)
{
    if (job->kind == DBAL__JOB_GRANT) {
        grant(runner, job, worker);
    } else if (runner->dead) {
        job->error = dbal__error_lost(NULL, DBAL_EXECUTION_NOT_SENT);
    } else if (job->kind == DBAL__JOB_VALIDATE) {
        if (dbal__runner_is_silent(runner, dbal__monotonic()))
            validate(runner, job, worker);
    } else if (!bounced(runner, job)) {
        /* what is the thread's own nobody else may look after, see crew.h */
        if ((own && !runner->watched) || !dbal__job_is_quick(job))
            dbal__worker_announce(worker);
        if (next)
            execute_next(runner, job);
        else
            do_first(runner, job, worker);
        runner->bounces = job->request.in_order && job->needs_token;
        if (lost_connection(job) || dbal__job_strays(job))
            dbal__runner_bury(runner, worker);
    }
}

bool
dbal__runner_take_up(dbal__runner *runner, dbal__job *job)
{
    if (atomic_load_explicit(&job->state, memory_order_relaxed) == DBAL__JOB_RUNNING)
        return true;
    job->channel = runner->channel; /* whoever stops it once it has begun looks there */
    return dbal__job_begin(job);
}

void
dbal__runner_run(dbal__runner *runner, dbal__job *job, bool own, dbal__worker *worker)
{
    if (dbal__runner_take_up(runner, job))
        do_one(runner, job, own, false, worker);
    dbal__runner_return(runner, job, worker);
}

void
dbal__runner_run_next(dbal__runner *runner, dbal__job *job, dbal__worker *worker)
{
    if (dbal__runner_take_up(runner, job))
        do_one(runner, job, false, true, worker);
    dbal__runner_return(runner, job, worker);
}

static dbal_upkeep
upkeep_wanted(dbal__runner *runner)
{
    const dbal_blocking *face = runner->channel->driver->driver->blocking;
    if (face->upkeep_wanted == NULL)
        return DBAL_UPKEEP_NONE;
    dbal__runner_enter(runner, "upkeep_wanted");
    dbal_upkeep when = face->upkeep_wanted(runner->channel->connection);
    dbal__runner_leave(runner);
    return when;
}

/* Before it is the loop's again: what that has to take is known from then on. */
static void
spend(dbal__job *job, dbal__worker *worker)
{
    if (worker->budget == NULL || job->request.result == NULL)
        return;
    worker->uncounted += dbal__result_bytes(job->request.result);
    if (worker->uncounted < COUNTED)
        return;
    job->unread = worker->uncounted; /* also for those before it, which the loop takes first */
    worker->uncounted = 0;
    dbal__budget_spend(worker->budget, job->unread);
}

/* Once published, a job is the loop's again and may be gone. */
void
dbal__runner_return(dbal__runner *runner, dbal__job *job, dbal__worker *worker)
{
    if (job->request.has_token && !runner->dead)
        job->upkeep_wanted = upkeep_wanted(runner);
    spend(job, worker);
    dbal__worker_publish(worker, runner->channel->inbox, &job->message,
                         job->kind == DBAL__JOB_GRANT || job->kind == DBAL__JOB_VALIDATE);
}
