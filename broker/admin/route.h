/** Which page a request asks for. Pure. */
#ifndef ROUTE_H
#define ROUTE_H

enum route { ROUTE_METRICS, ROUTE_READY, ROUTE_STATUS, ROUTE_HEALTH, ROUTE_UNKNOWN, ROUTE_METHOD };
/** Pages that are made from a snapshot: ROUTE_METRICS ... ROUTE_STATUS. */
#define ROUTE_PAGES 3

/** path: without the query. ROUTE_METHOD: a known path, asked in a way other than GET or HEAD. */
enum route route_of(const char *method, const char *path);

#endif
