/** @file version.h  Which dbal this is: the headers' version at build time, the library's at run time. */
#ifndef DBAL_VERSION_H
#define DBAL_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/** Major version of these headers. While it is 0, minor versions may break the interface. */
#define DBAL_VERSION_MAJOR 0
/** Minor version of these headers. */
#define DBAL_VERSION_MINOR 1
/** Patch version of these headers. */
#define DBAL_VERSION_PATCH 0
/** The headers' version as text, "0.1.0". */
#define DBAL_VERSION "0.1.0"

/**
 * The version of the library that the program runs with, which may be newer than its headers.
 *
 * @return "major.minor.patch", a constant that is never freed. Any thread, any time.
 */
const char *dbal_version(void);

#ifdef __cplusplus
}
#endif
#endif
