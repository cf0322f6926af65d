/*
 * slower.h - a build with a sanitizer takes several times as long: a test that goes through everything there is goes through
 * a fixed part of it there, and through all of it in the plain build.
 */
#ifndef TESTS_SUPPORT_SLOWER_H
#define TESTS_SUPPORT_SLOWER_H

#ifdef __SANITIZE_ADDRESS__
enum { SLOWER = 5 };
#else
enum { SLOWER = 1 };
#endif

#endif
