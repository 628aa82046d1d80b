/** The listener and its thread, with a loop that answers, answers late, or does not. Real sockets on loopback. */
#include "admin.h"
#include "snapshots.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 20000

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/** The loop's side of the link, in a thread of its own. */
struct fake_loop {
    struct admin_link *link;
    pthread_t thread;
    atomic_bool stop, silent;
    atomic_uint answered;
    size_t groups;
};

static void copy_view(const struct admin_snapshot *from, struct admin_snapshot *to) {
    struct node_view *view = &to->node;
    node_view_deinit(view);
    *to = *from;
    view->groups = calloc(view->group_capacity + 1, sizeof *view->groups);
    view->replicas = calloc(view->replica_count + 1, sizeof *view->replicas);
    view->peers = calloc(view->peer_count + 1, sizeof *view->peers);
    if (!view->groups || !view->replicas || !view->peers)
        abort();
    memcpy(view->groups, from->node.groups, view->group_count * sizeof *view->groups);
    memcpy(view->replicas, from->node.replicas, view->replica_count * sizeof *view->replicas);
    memcpy(view->peers, from->node.peers, view->peer_count * sizeof *view->peers);
}

static void *fake_loop_main(void *argument) {
    struct fake_loop *loop = argument;
    struct admin_snapshot *model = snapshot_of(loop->groups);
    while (!atomic_load(&loop->stop)) {
        struct pollfd item = {.fd = lf_ring_fd(loop->link->questions), .events = POLLIN};
        if (lf_ring_sleep(loop->link->questions)) {
            poll(&item, 1, 5);
            lf_ring_wake(loop->link->questions);
        }
        atomic_store(&loop->link->turned_ms, clock_ms());
        struct admin_snapshot *snapshot = atomic_load(&loop->silent) ? NULL : lf_ring_pop(loop->link->questions);
        if (!snapshot)
            continue;
        copy_view(model, snapshot);
        atomic_fetch_add(&loop->answered, 1);
        if (!lf_ring_push(loop->link->answers, snapshot))
            abort();
    }
    admin_snapshot_destroy(&model);
    return NULL;
}

static struct admin *admin;
static struct fake_loop loop;
static uint32_t port;

static uint32_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static struct admin_options options_of(void) {
    return (struct admin_options){.bind = "127.0.0.1",
                                  .port = port,
                                  .connections_max = 8,
                                  .timeout_ms = 1000,
                                  .lifetime_ms = 60000,
                                  .groups_max = 200,
                                  .stuck_ms = 5000,
                                  .version = "1.2"};
}

static void stop_loop(void) {
    atomic_store(&loop.stop, true);
    pthread_join(loop.thread, NULL);
}

static int stop(void **state) {
    (void)state;
    stop_loop();
    admin_destroy(&admin);
    return 0;
}

static int connect_to(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/** All that comes until the connection ends (with an error: what came so far); caller frees. NULL: no end in time. */
static char *read_all(int fd) {
    size_t size = 0, capacity = 1 << 20;
    char *text = malloc(capacity + 1);
    uint64_t deadline_ms = clock_ms() + DEADLINE_MS;
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        uint64_t now_ms = clock_ms();
        if (!text || now_ms >= deadline_ms || poll(&item, 1, (int)(deadline_ms - now_ms)) <= 0 || size == capacity) {
            free(text);
            return NULL;
        }
        ssize_t got = recv(fd, text + size, capacity - size, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    text[size] = '\0';
    return text;
}

/** Sends and returns the whole answer; caller frees. */
static char *ask(const char *request, size_t size) {
    int fd = connect_to();
    if (send(fd, request, size, MSG_NOSIGNAL) < 0)
        size = 0; /* refused in the middle: then there is an answer, or an end */
    char *answer = read_all(fd);
    close(fd);
    return answer;
}

static void expect(const char *method, const char *path, const char *status, const char *words) {
    char request[256];
    int size =
        snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    char *answer = ask(request, (size_t)size);
    assert_non_null(answer);
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0 || !strstr(answer, words))
        fail_msg("%s %s: expected %s and \"%s\", got: %.300s", method, path, status, words, answer);
    free(answer);
}

static int start(void **state) {
    (void)state;
    struct lf_error error = {0};
    port = free_port();
    struct admin_options options = options_of();
    assert_int_equal(admin_new(&options, &admin, &error), LF_OK);
    loop = (struct fake_loop){.link = admin_link(admin), .groups = 50};
    assert_int_equal(admin_start(admin, NULL, &error), LF_OK);
    assert_int_equal(pthread_create(&loop.thread, NULL, fake_loop_main, &loop), 0);
    expect("GET", "/readyz", "200", "ready"); /* so the loop has turned */
    return 0;
}

static void pages_are_served(void **state) {
    (void)state;
    expect("GET", "/metrics", "200", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    expect("GET", "/metrics", "200", "\nlogflume_groups{state=\"running\"} 50\n");
    expect("GET", "/metrics?name=x", "200", "\nlogflume_group_term{group=\"49\"");
    expect("GET", "/readyz", "200", "\r\n\r\nready: 50 groups\n");
    expect("GET", "/healthz", "200", "\r\n\r\nhealthy\n");
    expect("GET", "/status", "200", "Content-Type: application/json\r\n");
    expect("HEAD", "/metrics", "200", "Content-Length: ");
}

static void what_is_not_there_is_refused_in_words(void **state) {
    (void)state;
    expect("GET", "/", "404", "there are /metrics, /healthz, /readyz and /status\n");
    expect("POST", "/metrics", "405", "Allow: GET, HEAD\r\n");
    expect("DELETE", "/status", "405", "only GET and HEAD are answered here\n");
}

static void strange_bytes_hurt_nobody(void **state) {
    (void)state;
    static char endless[100000];
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "GET /", 5);
    const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\0\0\0\0", 4},
        {"GET\r\n\r\n", 7},
        {"GET /metrics HTTP/9.9\r\n\r\n", 25},
        {"GET /metrics HTTP/1.1\r\n\r\n", 25}, /* no Host */
        {"GET /%00%ff/../metrics HTTP/1.1\r\nHost: x\r\n\r\n", 43},
        {"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 54},
        {"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 65},
        {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nabc", 70},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11}, /* TLS */
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24},
        {endless, sizeof endless},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *answer = ask(cases[i].bytes, cases[i].size);
        assert_non_null(answer); /* an answer or an end, in time */
        assert_true(!*answer || strncmp(answer, "HTTP/1.", 7) == 0);
        free(answer);
        expect("GET", "/healthz", "200", "healthy");
    }
}

static void a_body_nobody_asked_for_is_read_over(void **state) {
    (void)state;
    const char *request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde";
    char *answer = ask(request, strlen(request));
    assert_non_null(answer);
    assert_non_null(strstr(answer, "ready: 50 groups"));
    free(answer);
}

static void a_client_that_leaves_while_it_waits_is_forgotten(void **state) {
    (void)state;
    atomic_store(&loop.silent, true);
    for (int i = 0; i < 4; i++) {
        int fd = connect_to();
        assert_true(send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL) == 34);
        close(fd);
    }
    atomic_store(&loop.silent, false);
    expect("GET", "/readyz", "200", "ready: 50 groups");
}

static void a_silent_loop_is_told_and_health_is_answered_meanwhile(void **state) {
    (void)state;
    atomic_store(&loop.silent, true);
    int fd = connect_to();
    assert_true(send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL) == 34);
    expect("GET", "/healthz", "200", "healthy");
    char *answer = read_all(fd);
    close(fd);
    assert_non_null(answer);
    assert_ptr_equal(strstr(answer, "HTTP/1.1 503"), answer);
    assert_non_null(strstr(answer, "the loop gave no figures in time"));
    free(answer);
    atomic_store(&loop.silent, false);
    expect("GET", "/metrics", "200", "logflume_groups_led");
}

static void a_loop_that_stopped_turning_is_not_healthy(void **state) {
    (void)state;
    struct lf_error error = {0};
    stop(NULL);
    struct admin_options options = options_of();
    options.stuck_ms = 1;
    assert_int_equal(admin_new(&options, &admin, &error), LF_OK);
    assert_int_equal(admin_start(admin, NULL, &error), LF_OK);
    expect("GET", "/healthz", "503", "the loop has not begun");
    atomic_store(&admin_link(admin)->turned_ms, clock_ms() - 50);
    expect("GET", "/healthz", "503", "not healthy: the loop has not turned for ");
    admin_destroy(&admin);
    start(NULL);
}

static void slow_readers_do_not_hold_up_the_others_nor_the_loop(void **state) {
    (void)state;
    int fds[5];
    for (size_t i = 0; i < 5; i++) { /* they ask and do not read */
        fds[i] = connect_to();
        assert_true(send(fds[i], "GET /status HTTP/1.1\r\nHost: x\r\n\r\n", 33, MSG_NOSIGNAL) == 33);
    }
    unsigned before = atomic_load(&loop.answered);
    for (int i = 0; i < 20; i++)
        expect("GET", "/metrics", "200", "logflume_groups_led");
    assert_true(atomic_load(&loop.answered) >= before + 20);
    for (size_t i = 0; i < 5; i++)
        close(fds[i]);
}

struct scraper {
    pthread_t thread;
    unsigned good;
};

static void *scrape(void *argument) {
    struct scraper *scraper = argument;
    for (int i = 0; i < 10; i++) {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 53, MSG_NOSIGNAL) == 53) {
            char *answer = read_all(fd);
            scraper->good +=
                answer && strncmp(answer, "HTTP/1.1 200", 12) == 0 && strstr(answer, "logflume_groups_led");
            free(answer);
        }
        close(fd);
    }
    return NULL;
}

static void many_scrapers_at_once_all_get_whole_pages(void **state) {
    (void)state;
    struct scraper scrapers[12] = {0}; /* more than connections_max: they wait */
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&scrapers[i].thread, NULL, scrape, &scrapers[i]), 0);
    for (size_t i = 0; i < 12; i++)
        pthread_join(scrapers[i].thread, NULL);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(scrapers[i].good, 10);
}

static void a_client_that_trickles_is_cut_off(void **state) {
    (void)state;
    struct lf_error error = {0};
    stop(NULL);
    struct admin_options options = options_of();
    options.lifetime_ms = 1500;
    options.connections_max = 1;
    assert_int_equal(admin_new(&options, &admin, &error), LF_OK);
    assert_int_equal(admin_start(admin, NULL, &error), LF_OK);
    int fd = connect_to();
    uint64_t deadline_ms = clock_ms() + DEADLINE_MS;
    struct pollfd item = {.fd = fd, .events = POLLIN};
    assert_int_equal(send(fd, "GET /healthz?", 13, MSG_NOSIGNAL), 13);
    while (poll(&item, 1, 50) == 0) { /* never silent */
        assert_true(clock_ms() < deadline_ms);
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
    }
    close(fd);
    expect("GET", "/healthz", "503", "the loop has not begun"); /* its place is free again */
    admin_destroy(&admin);
    start(NULL);
}

static void a_stop_answers_those_who_wait(void **state) {
    (void)state;
    atomic_store(&loop.silent, true);
    int fd = connect_to();
    assert_true(send(fd, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n", 33, MSG_NOSIGNAL) == 33);
    expect("GET", "/healthz", "200", "healthy"); /* so the other one has been taken */
    stop(NULL);
    char *answer = read_all(fd);
    close(fd);
    assert_non_null(answer);
    assert_true(!*answer || strstr(answer, "503") != NULL);
    free(answer);
    start(NULL);
}

static void a_port_in_use_is_refused_in_words(void **state) {
    (void)state;
    struct lf_error error = {0};
    struct admin *second = NULL;
    struct admin_options options = options_of();
    assert_int_equal(admin_new(&options, &second, &error), LF_IO);
    assert_null(second);
    assert_non_null(strstr(error.text, "cannot listen on http://127.0.0.1:"));
    options.bind = "nowhere.example";
    assert_int_equal(admin_new(&options, &second, &error), LF_INVALID);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(pages_are_served),
        TEST(what_is_not_there_is_refused_in_words),
        TEST(strange_bytes_hurt_nobody),
        TEST(a_body_nobody_asked_for_is_read_over),
        TEST(a_client_that_leaves_while_it_waits_is_forgotten),
        TEST(a_silent_loop_is_told_and_health_is_answered_meanwhile),
        TEST(a_loop_that_stopped_turning_is_not_healthy),
        TEST(slow_readers_do_not_hold_up_the_others_nor_the_loop),
        TEST(many_scrapers_at_once_all_get_whole_pages),
        TEST(a_client_that_trickles_is_cut_off),
        TEST(a_stop_answers_those_who_wait),
        TEST(a_port_in_use_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
