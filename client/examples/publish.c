/** Publish ten messages and see what became of each.
 *
 *  cc publish.c $(pkg-config --cflags --libs logflume) -o publish && ./publish TOPIC
 */
#include <logflume.h>
#include <stdio.h>
#include <string.h>

/* Runs on the library's thread, once for each message. */
static void on_delivery(const struct lf_delivery *delivery) {
    const char *message = delivery->context;
    switch (lf_status_action(delivery->status)) {
    case LF_ACTION_NONE:
        printf("%s: partition %d, offset %lld\n", message, delivery->partition, (long long)delivery->offset);
        break;
    case LF_ACTION_UNKNOWN:
        printf("%s: may be in the log: %s\n", message, delivery->error_text);
        break;
    default:
        printf("%s: not done: %s\n", message, delivery->error_text);
        break;
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "publish TOPIC\n");
        return 2;
    }
    struct lf_client_options options;
    lf_client_options_init(&options);
    options.brokers = "127.0.0.1:7700";
    lf_client *client;
    struct lf_error error;
    if (lf_client_new(&options, &client, &error) != LF_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    static const char *const texts[] = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};
    for (int i = 0; i < 10; i++) {
        struct lf_message message = {.topic = argv[1],
                                     .partition = -1, /* by key */
                                     .key = texts[i],
                                     .key_size = strlen(texts[i]),
                                     .value = texts[i],
                                     .value_size = strlen(texts[i])};
        if (lf_publish(client, &message, on_delivery, (void *)texts[i], 1000, &error) != LF_OK)
            fprintf(stderr, "%s: %s\n", texts[i], error.text);
    }
    /* Waits for all outcomes, at most ten seconds. */
    lf_client_close(&client, 10000);
    return 0;
}
