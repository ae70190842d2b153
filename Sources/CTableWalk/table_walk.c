#include "table_walk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* As AllowanceTable's record with its identity: 64 bytes. */
struct record {
    uint64_t high, low;
    int64_t start, end, base, tat, used;
    uint16_t refused, extra, tag;
    bool is_dirty;
};

_Static_assert(sizeof(struct record) == 64, "a record is one cache line");

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct record *records;
    size_t mask, count, capacity, dirty;
};

struct table_walk {
    struct shard *shards;
    size_t shard_mask;
};

struct table_walk *table_walk_create(size_t capacity, size_t shards) {
    struct table_walk *table = malloc(sizeof *table);
    if (!table) return NULL;
    table->shard_mask = shards - 1;
    table->shards = aligned_alloc(64, shards * sizeof(struct shard));
    if (!table->shards) {
        free(table);
        return NULL;
    }
    size_t per_shard = capacity / shards, size = 8;
    while (size / 4 * 3 < per_shard) size *= 2;
    for (size_t i = 0; i < shards; i++) {
        struct shard *shard = &table->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->records = aligned_alloc(64, size * sizeof(struct record));
        if (!shard->records) {
            table->shard_mask = i;
            table_walk_destroy(table);
            return NULL;
        }
        memset(shard->records, 0, size * sizeof(struct record));
        shard->mask = size - 1;
        shard->count = 0;
        shard->capacity = per_shard;
        shard->dirty = 0;
    }
    return table;
}

void table_walk_destroy(struct table_walk *table) {
    for (size_t i = 0; i <= table->shard_mask; i++) {
        free(table->shards[i].records);
        pthread_mutex_destroy(&table->shards[i].lock);
    }
    free(table->shards);
    free(table);
}

static inline struct shard *shard_of(struct table_walk *table, uint64_t high) {
    return &table->shards[(high >> 32) & table->shard_mask];
}

bool table_walk_insert(struct table_walk *table, uint64_t high, uint64_t low, int64_t start, int64_t end) {
    struct shard *shard = shard_of(table, high);
    if (shard->count >= shard->capacity) return false;
    size_t i = (low >> 6) & shard->mask;
    while (shard->records[i].high) i = (i + 1) & shard->mask;
    shard->records[i] = (struct record){.high = high, .low = low, .start = start, .end = end, .tag = 1};
    shard->count++;
    return true;
}

static int64_t spend(struct shard *shard, uint64_t high, uint64_t low, int64_t time, int64_t tokens, int64_t scaled) {
    for (size_t i = (low >> 6) & shard->mask;; i = (i + 1) & shard->mask) {
        struct record *record = &shard->records[i];
        if (record->high == high && record->low == low) {
            int64_t axis = record->base + scaled;
            int64_t x = record->start > axis ? record->start : axis;
            if (x + time > record->end) return -1;
            record->start = x + time;
            record->used += tokens;
            if (!record->is_dirty) {
                record->is_dirty = true;
                shard->dirty++;
            }
            return record->end - record->start;
        }
        if (!record->high) return -1;
    }
}

int64_t table_walk_spend(
    struct table_walk *table, uint64_t high, uint64_t low, int64_t time, int64_t tokens, int64_t scaled) {
    struct shard *shard = shard_of(table, high);
    pthread_mutex_lock(&shard->lock);
    int64_t rest = spend(shard, high, low, time, tokens, scaled);
    pthread_mutex_unlock(&shard->lock);
    return rest;
}
