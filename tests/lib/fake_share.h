/*
 * What statements of the blocking fake share, with sharing=on: reads a snapshot, and with token=on
 * writes a commit. Where it begins and ends stands in the script's trace: `share begin`, `share
 * commit`, `share undo`; `share look` and `share leave` for a snapshot. What goes wrong there the
 * script's plan says.
 */
#ifndef TESTS_LIB_FAKE_SHARE_H
#define TESTS_LIB_FAKE_SHARE_H

#include "tests/lib/fake_words.h"

bool fake_share_begin(fake_session *session, dbal_share what, dbal_request *first,
                      dbal_fault *fault);
bool fake_share_holds(fake_session *session);
bool fake_share_end(fake_session *session, bool keep, dbal_fault *fault);

#endif
