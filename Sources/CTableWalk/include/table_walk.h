/* The reference that the benchmark measures LimiterCore's table against: the same records, the same probing and the same
 * decision in plain C. It serves no other purpose. */
#ifndef MILLRACE_TABLE_WALK_H
#define MILLRACE_TABLE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC_RAW in nanoseconds. */
static inline int64_t table_walk_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The processor time that this thread has used, in nanoseconds. */
static inline int64_t table_walk_thread_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

struct table_walk;

/* An empty table for `capacity` records in `shards` shards (a power of two), each behind a lock of its own; NULL without memory. */
struct table_walk *table_walk_create(size_t capacity, size_t shards);
void table_walk_destroy(struct table_walk *table);

/* Adds a record that may be spent from `start` to `end`; false if its shard is full. */
bool table_walk_insert(struct table_walk *table, uint64_t high, uint64_t low, int64_t start, int64_t end);

/* Spends `time` nanoseconds (`tokens` tokens) at the stretched clock `scaled`, under the shard's lock; returns what the record
 * still holds, or -1 if it did not hold so much. */
int64_t table_walk_spend(
    struct table_walk *table, uint64_t high, uint64_t low, int64_t time, int64_t tokens, int64_t scaled);

#endif
