/** Read a topic from its beginning to what is its end now.
 *
 *  cc subscribe.c $(pkg-config --cflags --libs logflume) -o subscribe && ./subscribe TOPIC
 */
#include <logflume.h>
#include <stdio.h>

static void print(const struct lf_record_view *record) {
    printf("%d/%lld ", record->partition, (long long)record->offset);
    if (record->key)
        printf("%.*s: ", (int)record->key_size, (const char *)record->key);
    if (record->value)
        printf("%.*s\n", (int)record->value_size, (const char *)record->value);
    else
        printf("(null)\n");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "subscribe TOPIC\n");
        return 2;
    }
    struct lf_client_options options;
    lf_client_options_init(&options);
    lf_client *client;
    struct lf_error error;
    if (lf_client_new(&options, &client, &error) != LF_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    struct lf_subscribe_options subscribe;
    lf_subscribe_options_init(&subscribe);
    subscribe.topic = argv[1];
    subscribe.start = LF_START_EARLIEST;
    subscribe.exit_at_end = true;
    subscribe.reset_to_log_start = true; /* where retention is quicker than we are: go on, and be told */
    lf_subscription *subscription;
    enum lf_status status = lf_subscribe(client, &subscribe, &subscription, &error);
    while (status == LF_OK || status == LF_AGAIN) {
        struct lf_records records;
        status = lf_poll(subscription, 1000, &records, &error);
        for (size_t i = 0; i < records.count; i++) /* valid until the next lf_poll */
            print(&records.records[i]);
        if (records.diverged)
            fprintf(stderr, "%d: what followed before offset %lld was lost: going on at %lld\n",
                    records.missed_partition, (long long)records.missed_from, (long long)records.missed_to);
        else if (records.missed_from < records.missed_to)
            fprintf(stderr, "%d: too late for offsets %lld to %lld\n", records.missed_partition,
                    (long long)records.missed_from, (long long)records.missed_to - 1);
    }
    if (status != LF_END)
        fprintf(stderr, "%s\n", error.text);
    lf_unsubscribe(&subscription);
    lf_client_close(&client, 0);
    return status == LF_END ? 0 : 1;
}
