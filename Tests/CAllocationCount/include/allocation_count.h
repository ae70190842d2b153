#ifndef MILLRACE_ALLOCATION_COUNT_H
#define MILLRACE_ALLOCATION_COUNT_H

#include <stdint.h>

/// How many blocks this thread has been given by malloc, calloc, realloc and their like, in this test program.
uint64_t allocation_count(void);

#endif
