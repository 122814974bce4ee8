#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dbal/alloc.h"
#include "dbal/sql.h"
#include "dbal/sql_scan.h"
#include "dbal/url.h"
#include "dbal/error.h"
void dbal__sql_unref(dbal__sql *q) { if (--q->refs) return; if (q->text != q->source) dbal__free((char *)q->text);
 if (q->names) for (size_t i = 0; i < q->param_count; i++) dbal__free((char *)q->names[i]);
 dbal__free(q->names); dbal__free(q->numbers); dbal__free(q->source); dbal__free(q); }
dbal__sql *dbal__sql_ref(dbal__sql *q) { q->refs++; return q; }
static uint64_t hash(const char *t, size_t n) { uint64_t h = 1469598103934665603u; for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)t[i]) * 1099511628211u; return h; }
dbal__sql *dbal__sql_new(const dbal_driver *d, const void *config, const char *text, dbal_fault *fault) {
 dbal__sql_uses u = {0};
 if (!dbal__sql_uses_find(&u, d->dialect, text, fault)) { dbal__sql_uses_fini(&u); return NULL; }
 dbal__sql *q = dbal__zalloc(sizeof *q); q->refs = 1; q->source = dbal__strdup(text); q->source_size = strlen(text); q->hash = hash(text, q->source_size);
 char *out = dbal__alloc(q->source_size + u.count * 12 + 1), *at = out; size_t last = 0;
 if (u.named) q->names = dbal__zalloc((u.count + 1) * sizeof *q->names);
 for (size_t i = 0; i < u.count; i++) { uint32_t num = u.items[i].number;
  if (u.named) { const char *s = text + u.items[i].start + 1; size_t n = u.items[i].size - 1;
   for (num = 0; num < q->param_count; num++) if (strlen(q->names[num]) == n && !memcmp(q->names[num], s, n)) break;
   if (num == q->param_count) q->names[q->param_count++] = dbal__strndup(s, n); }
  else if (num + 1 > q->param_count) q->param_count = num + 1;
  memcpy(at, text + last, u.items[i].start - last); at += u.items[i].start - last; last = u.items[i].start + u.items[i].size;
  at += sprintf(at, "%c%u", d->paramstyle == DBAL_PARAMSTYLE_DOLLAR ? '$' : '?', num + 1); }
 strcpy(at, text + last); q->text = out; q->size = strlen(out); q->value_count = q->param_count;
 dbal__sql_uses_fini(&u); q->sql_class = d->classify(config, text); return q; }
bool dbal__sql_bind(const dbal__sql *q, const dbal_driver *d, const void *config, dbal_params p, uint32_t *order, dbal_fault *fault) {
 (void)d; (void)config;
 if (p.count != q->param_count) { dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "07001", "%zu parameters given, %zu wanted", p.count, q->param_count); return false; }
 for (size_t i = 0; i < q->param_count; i++) { order[i] = (uint32_t)i; if (q->names) { size_t k; for (k = 0; k < p.count; k++) if (p.values[k].name && !strcmp(p.values[k].name, q->names[i])) break;
  if (k == p.count) { dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "07001", "no parameter :%s", q->names[i]); return false; } order[i] = (uint32_t)k; } }
 return true; }
int dbal__sql_position(const dbal__sql *q, const dbal_driver *d, int p) { (void)q; (void)d; return p; }
char *dbal__sql_quote_identifier(dbal_dialect d, const char *n, size_t s) { (void)d; char *o = dbal__alloc(2 * s + 3), *a = o; *a++ = '"'; for (size_t i = 0; i < s; i++) { if (n[i] == '"') *a++ = '"'; *a++ = n[i]; } *a++ = '"'; *a = 0; return o; }
struct dbal__sql_table { const dbal_driver *d; const void *c; dbal__sql *s[1024]; };
dbal__sql_table *dbal__sql_table_new(const dbal_driver *d, const void *c, size_t most) { (void)most; dbal__sql_table *t = dbal__zalloc(sizeof *t); if (t) { t->d = d; t->c = c; } return t; }
void dbal__sql_table_free(dbal__sql_table *t) { if (!t) return; for (int i = 0; i < 1024; i++) if (t->s[i]) dbal__sql_unref(t->s[i]); dbal__free(t); }
dbal__sql *dbal__sql_table_get(dbal__sql_table *t, const char *text, dbal_fault *f) { dbal__sql **p = &t->s[hash(text, strlen(text)) % 1024]; if (*p && !strcmp((*p)->source, text)) return dbal__sql_ref(*p); dbal__sql *q = dbal__sql_new(t->d, t->c, text, f); if (!q) return NULL; if (*p) dbal__sql_unref(*p); *p = q; return dbal__sql_ref(q); }
struct dbal_url { char *text, *path, *name[32], *value[32]; size_t n; char *sname[32], *svalue[32]; size_t sn; };
dbal_url *dbal__url_new(const char *text, dbal_fault *f) { if (!strchr(text, ':')) { dbal_fault_set(f, DBAL_ERROR_INTERFACE, NULL, "no scheme"); return NULL; }
 dbal_url *u = dbal__zalloc(sizeof *u); u->text = dbal__strdup(text); u->path = strchr(u->text, ':'); *u->path++ = 0; if (!strncmp(u->path, "//", 2)) u->path += 2; char *q = strchr(u->path, '?'); if (q) { *q++ = 0; char *save, *p; for (p = strtok_r(q, "&", &save); p; p = strtok_r(NULL, "&", &save)) { char *v = strchr(p, '='); if (v) *v++ = 0; if (!strncmp(p, "pool_", 5)) { u->sname[u->sn] = p + 5; u->svalue[u->sn++] = v ? v : ""; } else { u->name[u->n] = p; u->value[u->n++] = v ? v : ""; } } } return u; }
void dbal__url_free(dbal_url *u) { if (u) { dbal__free(u->text); dbal__free(u); } }
size_t dbal__url_setting_count(const dbal_url *u) { return u->sn; }
const char *dbal__url_setting_name(const dbal_url *u, size_t i) { return u->sname[i]; }
const char *dbal__url_setting_value(const dbal_url *u, size_t i) { return u->svalue[i]; }
const char *dbal_url_scheme(const dbal_url *u) { return u->text; }
const char *dbal_url_path(const dbal_url *u) { return u->path; }
const char *dbal_url_user(const dbal_url *u) { (void)u; return NULL; }
const char *dbal_url_password(const dbal_url *u) { (void)u; return NULL; }
const char *dbal_url_hosts(const dbal_url *u) { (void)u; return NULL; }
size_t dbal_url_parameter_count(const dbal_url *u) { return u->n; }
const char *dbal_url_parameter_name(const dbal_url *u, size_t i) { return u->name[i]; }
const char *dbal_url_parameter(const dbal_url *u, const char *n) { for (size_t i = 0; i < u->n; i++) if (!strcmp(u->name[i], n)) return u->value[i]; return NULL; }
