/* A verifier that reads and says yes: the floor under every other one. */
#include <stdio.h>

int main(void) {
    char block[65536];
    while (fread(block, 1, sizeof block, stdin) > 0) {}
    puts("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 0000000000000000000000000000000000000000 nobody nowhere\n[GNUPG:] TRUST_FULLY 0 shell");
    return 0;
}
