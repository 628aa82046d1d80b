#include "route.h"

#include <stddef.h>
#include <string.h>

enum route route_of(const char *method, const char *path) {
    static const char *const paths[] = {[ROUTE_METRICS] = "/metrics",
                                        [ROUTE_READY] = "/readyz",
                                        [ROUTE_STATUS] = "/status",
                                        [ROUTE_HEALTH] = "/healthz"};
    enum route route = ROUTE_UNKNOWN;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(path, paths[i]) == 0)
            route = (enum route)i;
    if (route != ROUTE_UNKNOWN && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return ROUTE_METHOD;
    return route;
}
