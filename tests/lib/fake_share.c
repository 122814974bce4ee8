#include "tests/lib/fake_share.h"

/* True when this call is the one that is planned to fail; it fails so. */
static bool
fails(fake_script *script, int *count, int nth, fake_trouble trouble, dbal_fault *fault)
{
    if (fake_script_add(script, count, 1) != nth)
        return false;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, trouble == FAKE_BUSY ? "55P03" : "58000",
                   "the fake does not share, as it was planned");
    dbal_fault_set_retryable(fault, trouble == FAKE_BUSY);
    if (trouble == FAKE_UNSURE || trouble == FAKE_GONE)
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    if (trouble == FAKE_GONE)
        dbal_fault_set_connection_lost(fault, true);
    return true;
}

static bool
is_stopped(void *arg)
{
    return dbal_request_stopped(arg);
}

bool
fake_share_begin(fake_session *session, dbal_share what, dbal_request *first, dbal_fault *fault)
{
    fake_script *script = session->script;
    bool commits = what == DBAL_SHARE_COMMIT;
    if (session->in_transaction || session->shares) {
        dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "25001", "the fake shares already");
        return false;
    }
    fake_script_trace(script, commits ? "share begin" : "share look");
    if (script->hang_share && !fake_script_wait(script, "share", is_stopped, first, true)) {
        dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "the fake was stopped");
        return false;
    }
    if (fails(script, &script->share_begins, script->fail_share_begin, script->trouble, fault))
        return false;
    session->shares = true;
    session->shares_commit = commits;
    session->broken = false;
    session->delta = 0;
    return true;
}

bool
fake_share_holds(fake_session *session)
{
    return session->shares && !session->broken;
}

bool
fake_share_end(fake_session *session, bool keep, dbal_fault *fault)
{
    fake_script *script = session->script;
    bool commits = session->shares_commit;
    session->shares = session->shares_commit = false;
    fake_script_trace(script, !commits ? "share leave" : keep ? "share commit" : "share undo");
    bool failed =
        session->lost
            ? fails(script, &script->share_ends, script->share_ends + 1, FAKE_GONE, fault)
            : fails(script, &script->share_ends, script->fail_share_end, script->trouble, fault);
    /* nobody knows of what is unsure: here it was kept */
    if (keep && (!failed || script->trouble == FAKE_UNSURE))
        fake_session_keep(session);
    session->delta = 0;
    return !failed;
}
