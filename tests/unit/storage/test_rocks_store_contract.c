#include "rocks_backend.h"

int main(void) { return contract_run(&rocks_backend); }
