/** A program with its own event loop: the subscription's descriptor beside others in poll(2).
 *
 *  cc poll_loop.c $(pkg-config --cflags --libs logflume) -o poll_loop && ./poll_loop TOPIC
 */
#include <logflume.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct lf_client_options options;
    lf_client_options_init(&options);
    lf_client *client;
    struct lf_error error;
    if (argc != 2 || lf_client_new(&options, &client, &error) != LF_OK)
        return 2;
    struct lf_subscribe_options subscribe;
    lf_subscribe_options_init(&subscribe); /* from now on, all partitions */
    subscribe.topic = argv[1];
    lf_subscription *subscription = NULL;
    enum lf_status status = lf_subscribe(client, &subscribe, &subscription, &error);
    while (status == LF_OK || status == LF_AGAIN) {
        struct pollfd items[2] = {{.fd = lf_subscription_fd(subscription), .events = POLLIN},
                                  {.fd = STDIN_FILENO, .events = POLLIN}};
        poll(items, 2, -1);
        if (items[1].revents)
            break; /* any input ends it */
        struct lf_records records;
        status = lf_poll(subscription, 0, &records, &error);
        if (records.count > 0)
            printf("%zu records of partition %d\n", records.count, records.records[0].partition);
    }
    lf_unsubscribe(&subscription);
    lf_client_close(&client, 0);
    return 0;
}
