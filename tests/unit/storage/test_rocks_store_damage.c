/** What opening and reading do with a directory that a power cut tore, a disk damaged, or somebody else holds: S7, and
 *  the rules of preflight.h on RocksDB's own files. */
#include "contract.h"
#include "manifest_scan.h"
#include "preflight.h"
#include "rocks_store.h"
#include "scratch_directory.h"
#include "store_directory.h"
#include "wal_builder.h"
#include "witness.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES 40u

struct fixture {
    char *directory;
    struct log_store *store;
    struct lf_error error;
};

static enum lf_status try_open(struct fixture *fixture, bool create, uint32_t memtable_bytes) {
    struct rocks_store_options options = {
        .directory = fixture->directory, .create = create, .memtable_bytes = memtable_bytes};
    return rocks_store_open(&options, &contract_identity, &fixture->store, &fixture->error);
}

static struct log_store_completion *wait_one(struct log_store *store) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(store);
        struct pollfd waited = {.fd = log_store_fd(store), .events = POLLIN};
        if (completion)
            return completion;
        assert_int_equal(poll(&waited, 1, 60000), 1);
    }
}

static void write_one(struct fixture *fixture, struct log_store_write *write) {
    assert_int_equal(log_store_submit(fixture->store, &write), LF_OK);
    struct log_store_completion *completion = wait_one(fixture->store);
    assert_int_equal(completion->status, LF_OK);
    log_store_completion_destroy(&completion);
}

/* ENTRIES synced commits of one entry of 2 KB each, after the group's creation; closed again, in the log only. */
static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->directory = scratch_directory_new();
    if (try_open(fixture, true, 0) != LF_OK)
        fail_msg("%s", fixture->error.text);
    write_one(fixture, contract_create(3, 0));
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        struct log_store_write *write = contract_write(3, index);
        assert_int_equal(log_store_write_add_entry(write, index, contract_entry(3, index, 1, index, 2000)), LF_OK);
        write_one(fixture, write);
    }
    log_store_close(&fixture->store);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    log_store_close(&fixture->store);
    scratch_directory_remove(fixture->directory);
    free(fixture->directory);
    free(fixture);
    return 0;
}

/* Reads all of group 3; the last index, or the status where reading fails. */
static enum lf_status read_all(struct fixture *fixture, uint64_t *last) {
    *last = 0;
    struct log_store_read read = {
        .group = 3, .value = 1, .last_index = UINT64_MAX, .bytes_max = UINT32_MAX, .entries_max = UINT32_MAX};
    assert_int_equal(log_store_read(fixture->store, &read), LF_OK);
    struct log_store_completion *completion = wait_one(fixture->store);
    enum lf_status status = completion->status;
    for (uint32_t i = 0; i < completion->entry_count; i++) {
        struct lf_buf *wanted = contract_entry(3, i + 1, 1, i + 1, 2000);
        assert_true(lf_bytes_equal(lf_buf_bytes(completion->entries[i]), lf_buf_bytes(wanted)));
        lf_buf_unref(&wanted);
    }
    *last = completion->entry_count;
    fixture->error = completion->error;
    log_store_completion_destroy(&completion);
    return status;
}

/* The newest file of a kind. */
static struct store_file newest(struct fixture *fixture, enum store_file_kind kind) {
    struct store_files files;
    struct store_file found = {0};
    assert_int_equal(store_files_list(fixture->directory, &files, &fixture->error), LF_OK);
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == kind)
            found = files.items[i];
    store_files_deinit(&files);
    assert_int_equal(found.kind, kind);
    return found;
}

static size_t count_files(struct fixture *fixture, enum store_file_kind kind) {
    struct store_files files;
    assert_int_equal(store_files_list(fixture->directory, &files, &fixture->error), LF_OK);
    size_t count = store_files_count(&files, kind);
    store_files_deinit(&files);
    return count;
}

static void path_of(struct fixture *fixture, const char *name, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%s", fixture->directory, name);
}

static void write_at(struct fixture *fixture, const char *name, off_t at, const void *bytes, size_t size) {
    char path[PATH_MAX];
    path_of(fixture, name, path);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    close(fd);
}

static void flip_at(struct fixture *fixture, const char *name, off_t at) {
    char path[PATH_MAX];
    uint8_t byte;
    path_of(fixture, name, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void cut_to(struct fixture *fixture, const char *name, off_t size) {
    char path[PATH_MAX];
    path_of(fixture, name, path);
    assert_int_equal(truncate(path, size), 0);
}

static void expect_opens_with(struct fixture *fixture, uint64_t last_min, uint64_t last_max) {
    uint64_t last;
    if (try_open(fixture, false, 0) != LF_OK)
        fail_msg("%s", fixture->error.text);
    assert_int_equal(read_all(fixture, &last), LF_OK);
    assert_in_range(last, last_min, last_max);
    log_store_close(&fixture->store);
}

static void expect_damage_named(struct fixture *fixture, const char *name) {
    char *copy = scratch_directory_new();
    scratch_directory_copy(fixture->directory, copy);
    assert_int_equal(try_open(fixture, false, 0), LF_DAMAGED);
    assert_null(fixture->store);
    if (!strstr(fixture->error.text, name))
        fail_msg("not named: %s in %s", name, fixture->error.text);
    char command[2 * PATH_MAX];
    snprintf(command, sizeof command, "diff -r %s %s", fixture->directory, copy);
    assert_int_equal(system(command), 0); /* nothing was written or deleted */
    scratch_directory_remove(copy);
    free(copy);
}

static struct lf_buf *read_file(struct fixture *fixture, const char *name) {
    char path[PATH_MAX];
    struct stat about;
    path_of(fixture, name, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &about) == 0);
    struct lf_buf *bytes = lf_buf_new((size_t)about.st_size);
    assert_int_equal(read(fd, bytes->data, bytes->size), about.st_size);
    close(fd);
    return bytes;
}

static struct witness read_witness(struct fixture *fixture) {
    struct witness witness;
    struct lf_buf *bytes = read_file(fixture, WITNESS_NAME);
    assert_int_equal(bytes->size, WITNESS_FILE_BYTES);
    assert_true(witness_choose(lf_buf_bytes(bytes), &witness));
    lf_buf_unref(&bytes);
    return witness;
}

static void write_witness(struct fixture *fixture, struct witness *witness) {
    uint8_t slot[WITNESS_SLOT_BYTES];
    witness->generation++;
    witness_encode(witness, slot);
    write_at(fixture, WITNESS_NAME, (off_t)witness_slot_offset(witness->generation), slot, sizeof slot);
}

/* As a power cut finds it that came before the witness was written again after opening. */
static void set_witness_back(struct fixture *fixture) {
    struct witness witness = read_witness(fixture);
    assert_int_equal(witness.wal_count, 1);
    witness.wals[0].bytes = witness.wals[0].last_sequence = witness.last_sequence = 0;
    write_witness(fixture, &witness);
}

static void remove_file(struct fixture *fixture, const char *name) {
    char path[PATH_MAX];
    path_of(fixture, name, path);
    assert_int_equal(unlink(path), 0);
}

static void a_clean_directory_opens_with_all(void **state) { expect_opens_with(*state, ENTRIES, ENTRIES); }

static void a_log_cut_anywhere_opens_with_what_is_whole(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    char *whole = fixture->directory;
    for (uint64_t size = wal.bytes - 5000; size < wal.bytes; size += 611) {
        fixture->directory = scratch_directory_new();
        scratch_directory_copy(whole, fixture->directory);
        set_witness_back(fixture);
        cut_to(fixture, wal.name, (off_t)size);
        expect_opens_with(fixture, ENTRIES - 3, ENTRIES - 1);
        assert_int_equal(count_files(fixture, STORE_FILE_TORN), 1);
        expect_opens_with(fixture, ENTRIES - 3, ENTRIES - 1);
        scratch_directory_remove(fixture->directory);
        free(fixture->directory);
    }
    fixture->directory = whole;
}

static void a_zero_filled_end_is_cut_and_kept_beside(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    cut_to(fixture, wal.name, (off_t)wal.bytes + 100000);
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    assert_int_equal(newest(fixture, STORE_FILE_TORN).bytes, 100000);
}

static void rubbish_behind_the_last_batch_is_cut(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    uint8_t rubbish[5000];
    memset(rubbish, 0xa5, sizeof rubbish);
    write_at(fixture, wal.name, (off_t)wal.bytes + 300, rubbish, sizeof rubbish);
    expect_opens_with(fixture, ENTRIES, ENTRIES);
}

static void a_sector_missing_from_the_last_batch_loses_only_that(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    static const uint8_t zeroes[512];
    set_witness_back(fixture);
    write_at(fixture, wal.name, (off_t)wal.bytes - 1024, zeroes, 512);
    expect_opens_with(fixture, ENTRIES - 1, ENTRIES - 1);
}

static void a_changed_byte_in_synced_batches_is_refused_and_named(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    const uint64_t places[] = {3, 100, 5000, 32768, 32772, wal.bytes / 2, wal.bytes - 2500};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 7; i++) {
            flip_at(fixture, wal.name, (off_t)places[i]);
            expect_damage_named(fixture, wal.name);
            flip_at(fixture, wal.name, (off_t)places[i]);
        }
        set_witness_back(fixture); /* the batches themselves tell, too */
    }
    expect_opens_with(fixture, ENTRIES, ENTRIES);
}

static void less_of_a_log_than_the_witness_saw_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    char *whole = fixture->directory;
    static const uint8_t zeroes[512];
    const uint64_t sizes[] = {0, 1, 7, 20, 32768, wal.bytes / 2, wal.bytes - 2500, wal.bytes - 700};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t size = sizes[i / 2];
        fixture->directory = scratch_directory_new();
        scratch_directory_copy(whole, fixture->directory);
        if (i % 2 == 0)
            cut_to(fixture, wal.name, (off_t)size);
        else
            write_at(fixture, wal.name, (off_t)size, zeroes, wal.bytes - size < 512 ? (size_t)(wal.bytes - size) : 512);
        expect_damage_named(fixture, wal.name);
        scratch_directory_remove(fixture->directory);
        free(fixture->directory);
    }
    fixture->directory = whole;
    flip_at(fixture, wal.name, (off_t)wal.bytes - 100); /* the last batch: nothing follows that tells */
    expect_damage_named(fixture, wal.name);
    remove_file(fixture, wal.name);
    expect_damage_named(fixture, wal.name);
}

static void less_of_a_manifest_than_the_witness_saw_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    char *whole = fixture->directory;
    assert_int_equal(read_witness(fixture).manifest_bytes, manifest.bytes);
    for (uint64_t size = 0; size < manifest.bytes; size += 1 + size / 8) {
        fixture->directory = scratch_directory_new();
        scratch_directory_copy(whole, fixture->directory);
        cut_to(fixture, manifest.name, (off_t)size);
        expect_damage_named(fixture, manifest.name);
        scratch_directory_remove(fixture->directory);
        free(fixture->directory);
    }
    fixture->directory = whole;
}

static void current_that_is_gone_or_names_another_manifest_is_refused(void **state) {
    struct fixture *fixture = *state;
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    char text[64], path[PATH_MAX], older[PATH_MAX];
    bool present;
    int length = snprintf(text, sizeof text, "MANIFEST-%06u\n", (unsigned)manifest.number - 1);
    write_at(fixture, "CURRENT", 0, text, (size_t)length);
    expect_damage_named(fixture, "CURRENT");
    path_of(fixture, manifest.name, path);
    text[15] = '\0';
    snprintf(text, sizeof text, "MANIFEST-%06u\n", (unsigned)manifest.number - 1);
    write_at(fixture, "CURRENT", 0, text, strlen(text));
    text[15] = '\0';
    path_of(fixture, text, older);
    assert_int_equal(link(path, older), 0); /* an older one that is still there does not count */
    expect_damage_named(fixture, "CURRENT");
    remove_file(fixture, "CURRENT");
    expect_damage_named(fixture, "CURRENT");
    assert_int_equal(try_open(fixture, true, 0), LF_DAMAGED); /* and no new store is made in its place */
    assert_int_equal(rocks_store_present(fixture->directory, &present, &fixture->error), LF_DAMAGED);
}

static void a_lost_manifest_is_refused_where_nothing_proves_the_one_before(void **state) {
    struct fixture *fixture = *state;
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    char text[64], path[PATH_MAX], away[PATH_MAX];
    snprintf(text, sizeof text, "MANIFEST-%06u\n", (unsigned)manifest.number + 7);
    write_at(fixture, "CURRENT", 0, text, strlen(text));
    path_of(fixture, manifest.name, path);
    snprintf(away, sizeof away, "%s.away", fixture->directory);
    assert_int_equal(rename(path, away), 0);
    expect_damage_named(fixture, "CURRENT"); /* neither is there */
    assert_int_equal(rename(away, path), 0);
    remove_file(fixture, "WITNESS");
    expect_damage_named(fixture, "CURRENT"); /* nothing says that the older one is whole */
}

/** What a power cut between RocksDB's renaming of CURRENT and its sync of the directory may leave. */
static void a_new_manifest_whose_name_was_lost_costs_nothing(void **state) {
    struct fixture *fixture = *state;
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    char text[64];
    snprintf(text, sizeof text, "MANIFEST-%06u\n", (unsigned)manifest.number + 7);
    write_at(fixture, "CURRENT", 0, text, strlen(text));
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    expect_opens_with(fixture, ENTRIES, ENTRIES); /* CURRENT was put right */
}

static void a_table_of_another_size_is_named(void **state) {
    struct fixture *fixture = *state;
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    struct store_file table = newest(fixture, STORE_FILE_TABLE);
    cut_to(fixture, table.name, (off_t)table.bytes - 1);
    expect_damage_named(fixture, table.name);
    cut_to(fixture, table.name, (off_t)table.bytes + 1);
    expect_damage_named(fixture, table.name);
}

static void a_store_without_a_witness_opens_as_it_did_and_gets_one(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    remove_file(fixture, WITNESS_NAME);
    cut_to(fixture, wal.name, (off_t)wal.bytes - 10);
    expect_opens_with(fixture, ENTRIES - 1, ENTRIES - 1);
    assert_true(read_witness(fixture).last_sequence > 0);
}

static void one_readable_slot_is_a_witness_and_none_forbids_cutting(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    struct witness witness = read_witness(fixture);
    write_witness(fixture, &witness); /* both slots say the same */
    flip_at(fixture, WITNESS_NAME, (off_t)witness_slot_offset(witness.generation) + 70);
    assert_int_equal(read_witness(fixture).generation, witness.generation - 1);
    cut_to(fixture, wal.name, (off_t)wal.bytes - 10);
    expect_damage_named(fixture, wal.name);
    flip_at(fixture, WITNESS_NAME, (off_t)witness_slot_offset(witness.generation - 1) + 70);
    expect_damage_named(fixture, WITNESS_NAME);
}

static void a_witness_that_cannot_be_read_beside_whole_files_is_written_anew(void **state) {
    struct fixture *fixture = *state;
    cut_to(fixture, WITNESS_NAME, 0);
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    assert_int_equal(read_witness(fixture).wal_count, 1);
}

static void the_witness_of_another_store_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct witness witness = read_witness(fixture);
    witness.store_uuid[3] ^= 1;
    write_witness(fixture, &witness);
    expect_damage_named(fixture, WITNESS_NAME);
}

/* What the keeper takes for granted of RocksDB. */
static void the_witness_lists_the_logs_that_are_in_use(void **state) {
    struct fixture *fixture = *state;
    struct store_file replayed = newest(fixture, STORE_FILE_WAL);
    assert_int_equal(try_open(fixture, false, 64 * 1024), LF_OK);
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    struct lf_buf *bytes = read_file(fixture, manifest.name);
    struct manifest_scan scan = manifest_scan(lf_buf_bytes(bytes));
    assert_int_equal(scan.verdict, MANIFEST_WHOLE);
    /* what was replayed is in tables: the MANIFEST needs no log older than the new one */
    assert_in_range(manifest_log_min(&scan), replayed.number + 1, wal.number);
    assert_int_equal(read_witness(fixture).wal_count, 1);
    manifest_scan_deinit(&scan);
    lf_buf_unref(&bytes);
    for (uint64_t index = ENTRIES + 1; index <= ENTRIES + 300; index++) {
        struct log_store_write *write = contract_write(3, index);
        assert_int_equal(log_store_write_add_entry(write, index, contract_entry(3, index, 1, index, 2000)), LF_OK);
        write_one(fixture, write);
        struct witness now = read_witness(fixture);
        assert_int_equal(witness_newest(&now), newest(fixture, STORE_FILE_WAL).number); /* before the acknowledgement */
    }
    log_store_close(&fixture->store);
    struct witness witness = read_witness(fixture);
    struct store_files files;
    assert_int_equal(store_files_list(fixture->directory, &files, &fixture->error), LF_OK);
    size_t logs = 0;
    for (size_t i = 0; i < files.count; i++) {
        const struct witness_wal *listed = witness_find(&witness, files.items[i].number);
        if (files.items[i].kind != STORE_FILE_WAL || !listed)
            continue;
        assert_int_equal(listed->bytes, files.items[i].bytes);
        logs++;
    }
    assert_true(logs == store_files_count(&files, STORE_FILE_WAL) || logs == WITNESS_WALS_MAX);
    assert_true(logs >= 2);
    store_files_deinit(&files);
    expect_opens_with(fixture, ENTRIES + 300, ENTRIES + 300);
}

static void a_block_missing_from_synced_batches_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct store_file wal = newest(fixture, STORE_FILE_WAL);
    static const uint8_t zeroes[32768];
    write_at(fixture, wal.name, 32768, zeroes, sizeof zeroes);
    expect_damage_named(fixture, wal.name);
}

static void a_torn_end_of_the_manifest_is_cut(void **state) {
    struct fixture *fixture = *state;
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    const uint8_t torn[] = {1, 2, 3, 4, 200, 0, 1, 9, 9, 9};
    write_at(fixture, manifest.name, (off_t)manifest.bytes, torn, sizeof torn);
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    manifest = newest(fixture, STORE_FILE_MANIFEST);
    cut_to(fixture, manifest.name, (off_t)manifest.bytes + 4096);
    expect_opens_with(fixture, ENTRIES, ENTRIES);
}

static void a_manifest_edit_lost_to_damage_is_not_silent(void **state) {
    struct fixture *fixture = *state;
    if (try_open(fixture, false, 0) != LF_OK) /* replayed into a table; the old log is gone */
        fail_msg("%s", fixture->error.text);
    struct log_store_write *write = contract_write(3, 1);
    assert_int_equal(log_store_write_add_entry(write, ENTRIES + 1, contract_entry(3, ENTRIES + 1, 1, 0, 1)), LF_OK);
    write_one(fixture, write);
    log_store_close(&fixture->store);
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    flip_at(fixture, manifest.name, (off_t)manifest.bytes - 3);
    assert_int_equal(try_open(fixture, false, 0), LF_DAMAGED);
}

/* Appends a whole edit that names a table of the third family; what RocksDB leaves when the edit's sync fails, since it
 * removes the table then. Returns where the MANIFEST ends. */
static uint64_t name_a_table_that_is_not_there(struct fixture *fixture) {
    /* tag and family; tag and level, number 999, 1000 bytes (tags are varints: 200 takes two bytes) */
    uint8_t edit[96] = {0xc8, 0x01, 2, 103, 6, 0xe7, 0x07, 0xe8, 0x07};
    size_t size = 9;
    for (int key = 0; key < 2; key++) { /* smallest and largest: 16 bytes and what RocksDB adds */
        edit[size++] = 24;
        size += 24;
    }
    size += 2; /* smallest and largest sequence: 0 */
    edit[size++] = 1;
    struct wal_builder builder = {0};
    struct store_file manifest = newest(fixture, STORE_FILE_MANIFEST);
    wal_builder_record(&builder, edit, size);
    write_at(fixture, manifest.name, (off_t)manifest.bytes, builder.bytes, builder.size);
    uint64_t end = manifest.bytes + builder.size;
    wal_builder_deinit(&builder);
    return end;
}

static void an_edit_whose_table_was_removed_again_is_cut_above_the_witness(void **state) {
    struct fixture *fixture = *state;
    name_a_table_that_is_not_there(fixture);
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    log_store_close(&fixture->store);
    struct witness witness = read_witness(fixture);
    witness.manifest_bytes = name_a_table_that_is_not_there(fixture);
    write_witness(fixture, &witness);
    expect_damage_named(fixture, "000999.sst");
}

static void a_missing_manifest_or_table_is_named(void **state) {
    struct fixture *fixture = *state;
    char path[PATH_MAX], away[PATH_MAX];
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    const enum store_file_kind kinds[] = {STORE_FILE_MANIFEST, STORE_FILE_TABLE};
    for (size_t i = 0; i < 2; i++) {
        struct store_file file = newest(fixture, kinds[i]);
        path_of(fixture, file.name, path);
        snprintf(away, sizeof away, "%s.away", fixture->directory);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(try_open(fixture, false, 0), LF_DAMAGED);
        file.name[kinds[i] == STORE_FILE_TABLE ? 6 : 15] = '\0'; /* RocksDB tries another ending last, and names that */
        if (!strstr(fixture->error.text, file.name))
            fail_msg("not named: %s in %s", file.name, fixture->error.text);
        assert_int_equal(rename(away, path), 0);
    }
    expect_opens_with(fixture, ENTRIES, ENTRIES);
}

static void s7_a_changed_byte_in_a_table_is_damage_and_never_wrong_bytes(void **state) {
    struct fixture *fixture = *state;
    uint64_t last;
    expect_opens_with(fixture, ENTRIES, ENTRIES);
    struct store_files files;
    assert_int_equal(store_files_list(fixture->directory, &files, &fixture->error), LF_OK);
    struct store_file largest = {0};
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == STORE_FILE_TABLE && files.items[i].bytes > largest.bytes)
            largest = files.items[i];
    store_files_deinit(&files);
    assert_true(largest.bytes > ENTRIES * 2000);
    flip_at(fixture, largest.name, 20000);
    enum lf_status status = try_open(fixture, false, 0);
    if (status == LF_OK)
        status = read_all(fixture, &last);
    assert_int_equal(status, LF_DAMAGED);
    assert_non_null(strstr(fixture->error.text, largest.name));
}

static void a_log_with_an_older_one_missing_is_refused(void **state) {
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    /* small memtables: several logs, the older ones held by rows that are not flushed yet */
    if (try_open(fixture, false, 64 * 1024) != LF_OK)
        fail_msg("%s", fixture->error.text);
    for (uint64_t index = ENTRIES + 1; index <= ENTRIES + 300; index++) {
        struct log_store_write *write = contract_write(3, index);
        assert_int_equal(log_store_write_add_entry(write, index, contract_entry(3, index, 1, index, 2000)), LF_OK);
        write_one(fixture, write);
    }
    log_store_close(&fixture->store);
    struct store_files files;
    assert_int_equal(store_files_list(fixture->directory, &files, &fixture->error), LF_OK);
    assert_true(store_files_count(&files, STORE_FILE_WAL) >= 3);
    size_t first = 0;
    while (files.items[first].kind != STORE_FILE_WAL)
        first++;
    path_of(fixture, files.items[first + 1].name, path);
    char *missing = strdup(files.items[first + 1].name), *next = strdup(files.items[first + 2].name);
    store_files_deinit(&files);
    assert_int_equal(unlink(path), 0);
    expect_damage_named(fixture, missing);
    remove_file(fixture, WITNESS_NAME); /* without it, the gap in the sequences tells */
    expect_damage_named(fixture, next);
    free(missing);
    free(next);
}

static void one_process_holds_the_store(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(try_open(fixture, false, 0), LF_OK);
    struct fixture second = {.directory = fixture->directory};
    assert_int_equal(try_open(&second, false, 0), LF_EXISTS);
    assert_non_null(strstr(second.error.text, "holds"));
    pid_t child = fork();
    if (child == 0) {
        struct fixture third = {.directory = fixture->directory};
        _exit(try_open(&third, false, 0) == LF_EXISTS ? 0 : 1);
    }
    int how = 1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
}

static void presence_is_told_without_opening(void **state) {
    struct fixture *fixture = *state;
    bool present = false;
    assert_int_equal(rocks_store_present(fixture->directory, &present, &fixture->error), LF_OK);
    assert_true(present);
    assert_int_equal(rocks_store_present("no-such-directory", &present, &fixture->error), LF_OK);
    assert_false(present);
    char *empty = scratch_directory_new();
    assert_int_equal(rocks_store_present(empty, &present, &fixture->error), LF_OK);
    assert_false(present);
    struct fixture other = {.directory = empty};
    assert_int_equal(try_open(&other, false, 0), LF_NOT_FOUND);
    char path[PATH_MAX];
    path_of(&other, "letters.txt", path);
    fclose(fopen(path, "w"));
    assert_int_equal(rocks_store_present(empty, &present, &fixture->error), LF_INVALID);
    assert_int_equal(try_open(&other, true, 0), LF_INVALID);
    assert_non_null(strstr(other.error.text, "letters.txt"));
    scratch_directory_remove(empty);
    free(empty);
}

static void a_creation_cut_short_can_be_begun_again(void **state) {
    struct fixture *fixture = *state;
    struct fixture fresh = {.directory = scratch_directory_new()};
    bool present = true;
    assert_int_equal(try_open(&fresh, true, 0), LF_OK);
    log_store_close(&fresh.store);
    cut_to(&fresh, newest(&fresh, STORE_FILE_WAL).name, 20); /* the identity row was being written */
    remove_file(&fresh, WITNESS_NAME);                       /* which comes before the witness */
    assert_int_equal(rocks_store_present(fresh.directory, &present, &fixture->error), LF_OK);
    assert_false(present);
    assert_int_equal(try_open(&fresh, true, 0), LF_OK);
    log_store_close(&fresh.store);
    assert_int_equal(rocks_store_present(fresh.directory, &present, &fixture->error), LF_OK);
    assert_true(present);
    assert_int_equal(try_open(&fresh, false, 0), LF_OK);
    log_store_close(&fresh.store);
    scratch_directory_remove(fresh.directory);
    free(fresh.directory);
}

static void kept_torn_ends_are_bounded(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        struct store_file wal = newest(fixture, STORE_FILE_WAL);
        cut_to(fixture, wal.name, (off_t)wal.bytes + 1000);
        expect_opens_with(fixture, ENTRIES, ENTRIES);
    }
    assert_in_range(count_files(fixture, STORE_FILE_TORN), 5, 8);
    assert_int_equal(newest(fixture, STORE_FILE_TORN).number, 20);
}

/* Flips one bit in the middle of every table of more than 64 KiB. */
static void damage_tables(const char *directory) {
    struct store_files files;
    struct lf_error error;
    assert_int_equal(store_files_list(directory, &files, &error), LF_OK);
    bool any = false;
    for (size_t i = 0; i < files.count; i++) {
        char path[PATH_MAX];
        uint8_t byte;
        if (files.items[i].kind != STORE_FILE_TABLE || files.items[i].bytes < 64u * 1024)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, files.items[i].name);
        int fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &byte, 1, (off_t)files.items[i].bytes / 2), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)files.items[i].bytes / 2), 1);
        close(fd);
        any = true;
    }
    store_files_deinit(&files);
    assert_true(any);
}

static void scrub_finds_what_nobody_reads(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(try_open(fixture, false, 0), LF_OK);
    for (uint64_t index = ENTRIES + 1; index <= 400; index++) {
        struct log_store_write *write = contract_write(3, index);
        assert_int_equal(log_store_write_add_entry(write, index, contract_entry(3, index, 1, index, 2000)), LF_OK);
        write->sync = false;
        write_one(fixture, write);
    }
    log_store_close(&fixture->store);
    assert_int_equal(try_open(fixture, false, 0), LF_OK); /* what is replayed goes into a table */
    log_store_close(&fixture->store);
    damage_tables(fixture->directory);
    struct rocks_store_options options = {.directory = fixture->directory, .scrub_bytes_per_s = 1u << 30};
    assert_int_equal(rocks_store_open(&options, &contract_identity, &fixture->store, &fixture->error), LF_OK);
    struct log_store_completion *completion = wait_one(fixture->store);
    assert_int_equal(completion->kind, LOG_STORE_DONE_DAMAGE);
    assert_int_equal(completion->group, 3);
    assert_int_equal(completion->status, LF_DAMAGED);
    assert_int_equal(completion->segment.first_index, 0); /* not in a segment: the store is lost as a whole */
    assert_true(completion->error.text[0] != '\0');
    log_store_completion_destroy(&completion);
    struct log_store_engine_stats stats;
    log_store_engine_stats(fixture->store, &stats);
    assert_int_equal(stats.scrub_damages, 1);
}

static void scrub_of_a_whole_store_finds_nothing(void **state) {
    struct fixture *fixture = *state;
    struct rocks_store_options options = {.directory = fixture->directory, .scrub_bytes_per_s = 1u << 30};
    struct log_store_engine_stats stats = {0};
    assert_int_equal(rocks_store_open(&options, &contract_identity, &fixture->store, &fixture->error), LF_OK);
    while (stats.scrub_passes == 0)
        log_store_engine_stats(fixture->store, &stats);
    assert_true(stats.scrubbed_bytes >= ENTRIES * 2000u);
    assert_int_equal(stats.scrub_damages, 0);
    assert_null(log_store_poll(fixture->store));
}

static void store_that_was_found_damaged_is_never_opened_again(void **state) {
    struct fixture *fixture = *state;
    bool present;
    assert_int_equal(
        rocks_store_condemn(fixture->directory, "group 3: entry 7 is not what was written", &fixture->error), LF_OK);
    assert_int_equal(rocks_store_condemn(fixture->directory, "something later", &fixture->error), LF_OK);
    assert_int_equal(try_open(fixture, false, 0), LF_DAMAGED);
    assert_non_null(strstr(fixture->error.text, "group 3: entry 7 is not what was written"));
    assert_int_equal(try_open(fixture, true, 0), LF_DAMAGED);
    assert_int_equal(rocks_store_present(fixture->directory, &present, &fixture->error), LF_OK);
    assert_true(present);
}

static void store_is_set_aside_only_while_nobody_holds_it(void **state) {
    struct fixture *fixture = *state;
    char aside[PATH_MAX];
    snprintf(aside, sizeof aside, "%s.aside", fixture->directory);
    assert_int_equal(try_open(fixture, false, 0), LF_OK);
    assert_int_equal(rocks_store_set_aside(fixture->directory, aside, &fixture->error), LF_EXISTS);
    log_store_close(&fixture->store);
    assert_int_equal(rocks_store_set_aside(fixture->directory, aside, &fixture->error), LF_OK);
    assert_int_equal(rocks_store_set_aside(fixture->directory, aside, &fixture->error), LF_NOT_FOUND);
    assert_int_equal(mkdir(fixture->directory, 0755), 0);
    assert_int_equal(rocks_store_set_aside(fixture->directory, aside, &fixture->error), LF_EXISTS);
    scratch_directory_remove(fixture->directory);
    assert_int_equal(rename(aside, fixture->directory), 0);
    uint64_t last;
    assert_int_equal(try_open(fixture, false, 0), LF_OK);
    assert_int_equal(read_all(fixture, &last), LF_OK);
    assert_int_equal(last, ENTRIES);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scrub_finds_what_nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(scrub_of_a_whole_store_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(store_that_was_found_damaged_is_never_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(store_is_set_aside_only_while_nobody_holds_it, setup, teardown),
        TEST(a_clean_directory_opens_with_all),
        TEST(a_log_cut_anywhere_opens_with_what_is_whole),
        TEST(a_zero_filled_end_is_cut_and_kept_beside),
        TEST(rubbish_behind_the_last_batch_is_cut),
        TEST(a_sector_missing_from_the_last_batch_loses_only_that),
        TEST(a_changed_byte_in_synced_batches_is_refused_and_named),
        TEST(a_block_missing_from_synced_batches_is_refused),
        TEST(less_of_a_log_than_the_witness_saw_is_refused),
        TEST(less_of_a_manifest_than_the_witness_saw_is_refused),
        TEST(current_that_is_gone_or_names_another_manifest_is_refused),
        TEST(a_lost_manifest_is_refused_where_nothing_proves_the_one_before),
        TEST(a_new_manifest_whose_name_was_lost_costs_nothing),
        TEST(a_table_of_another_size_is_named),
        TEST(a_store_without_a_witness_opens_as_it_did_and_gets_one),
        TEST(one_readable_slot_is_a_witness_and_none_forbids_cutting),
        TEST(a_witness_that_cannot_be_read_beside_whole_files_is_written_anew),
        TEST(the_witness_of_another_store_is_refused),
        TEST(the_witness_lists_the_logs_that_are_in_use),
        TEST(a_torn_end_of_the_manifest_is_cut),
        TEST(a_manifest_edit_lost_to_damage_is_not_silent),
        TEST(an_edit_whose_table_was_removed_again_is_cut_above_the_witness),
        TEST(a_missing_manifest_or_table_is_named),
        TEST(s7_a_changed_byte_in_a_table_is_damage_and_never_wrong_bytes),
        TEST(a_log_with_an_older_one_missing_is_refused),
        TEST(one_process_holds_the_store),
        TEST(presence_is_told_without_opening),
        TEST(a_creation_cut_short_can_be_begun_again),
        TEST(kept_torn_ends_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
