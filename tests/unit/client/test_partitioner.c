#include "fake_cluster.h"

/* Values of Kafka's own tests (UtilsTest.testMurmur2). */
static void murmur2_gives_what_kafkas_clients_give(void **state) {
    (void)state;
    assert_int_equal((int32_t)lf_murmur2("21", 2), -973932308);
    assert_int_equal((int32_t)lf_murmur2("foobar", 6), -790332482);
    assert_int_equal((int32_t)lf_murmur2("a-little-bit-long-string", 24), -985981536);
    assert_int_equal((int32_t)lf_murmur2("a-little-bit-longer-string", 26), -1486304829);
    assert_int_equal((int32_t)lf_murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48), -58897971);
    assert_int_equal((int32_t)lf_murmur2("abc", 3), 479470107);
}

static void keys_choose_partitions_and_messages_without_key_stick_to_one_per_batch(void **state) {
    (void)state;
    struct fake *fake = fake_new();
    fake_publish(fake, "m", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, LF__CLIENT_REQUEST__BODY_PUBLISH, 0), 0, false);
    struct lf_message keyed = {
        .topic = "m", .partition = -1, .key = "foobar", .key_size = 6, .value = "", .value_size = 0};
    struct lf_core_event event = {.type = LF_CORE_PUBLISH};
    event.publish.message = &keyed;
    assert_int_equal(fake_event(fake, &event), LF_OK);
    uint32_t expected = ((uint32_t)-790332482 & 0x7fffffff) % 3;
    struct fake_request *request = fake_wait(fake, 0, LF__CLIENT_REQUEST__BODY_PUBLISH, 0);
    assert_int_equal(request->message->publish->partition, expected);
    assert_int_equal(request->node, expected + 1);
    fake_answer_publish(fake, request, 1, false);
    uint32_t seen[3] = {0};
    for (int batch = 0; batch < 3; batch++) {
        for (int i = 0; i < 4; i++)
            fake_publish(fake, "m", -1, 0, 10);
        request = fake_wait(fake, 0, LF__CLIENT_REQUEST__BODY_PUBLISH, 0);
        assert_int_equal(request->header.record_count, 4); /* together */
        seen[request->message->publish->partition]++;
        fake_answer_publish(fake, request, 10, false);
    }
    assert_int_equal(seen[0], 1); /* and each batch elsewhere */
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 1);
    fake_free(fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur2_gives_what_kafkas_clients_give),
        cmocka_unit_test(keys_choose_partitions_and_messages_without_key_stick_to_one_per_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
