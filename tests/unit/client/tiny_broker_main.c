/** The tiny broker as a program, for tests of programs: prints its port, ends when its standard input does. Two lines
 * of input change it: "withhold" and "answer". */
#include "tiny_broker.h"

#include <stdio.h>
#include <string.h>

int main(void) {
    struct tiny_broker *broker = tiny_broker_start(0);
    if (!broker)
        return 1;
    printf("%u\n", tiny_broker_port(broker));
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        tiny_broker_withhold_answers(broker, strcmp(line, "withhold\n") == 0);
        puts("ok");
        fflush(stdout);
    }
    tiny_broker_stop(&broker);
    return 0;
}
