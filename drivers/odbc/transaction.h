/*
 * Transactions by ODBC's calls. BEGIN, COMMIT and ROLLBACK as SQL would bypass the ODBC driver, which
 * may refuse them, or believe itself in autocommit. So BEGIN turns autocommit off, and the others are
 * SQLEndTran(), with autocommit on again behind it; savepoints are SQL, for which ODBC has no call.
 *
 * Nobody can ask an ODBC driver whether its transaction is still the one that was begun. After an
 * error, some drivers undo the statement, some the transaction, without a word, and would begin
 * another one with the next statement. So a failed statement spoils its transaction: nothing runs in
 * it until it is rolled back, whole or to a savepoint.
 */
#ifndef DBAL__ODBC_TRANSACTION_H
#define DBAL__ODBC_TRANSACTION_H

#include "connection.h"
#include "meaning.h"

bool dbal__odbc_transaction_begin(dbal__odbc_connection *connection,
                                  const dbal__odbc_beginning *beginning, dbal_fault *fault);
/* False with the fault set: nothing was kept, or nobody knows. None is open then either, but for one
 * that was spoilt before. */
bool dbal__odbc_transaction_commit(dbal__odbc_connection *connection, dbal_fault *fault);
bool dbal__odbc_transaction_rollback(dbal__odbc_connection *connection, dbal_fault *fault);

/* What isolation levels there are; when the connection is opened. */
void dbal__odbc_transaction_learn(dbal__odbc_connection *connection);

#endif
