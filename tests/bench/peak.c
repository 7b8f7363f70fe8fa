/* peak FILE COMMAND...: runs it and writes its own and its children's peak resident kilobytes into FILE. A big parent
   would lend its own size to the child, so this one is small. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int status = 1;
    struct rusage usage;
    if (argc < 3) return 2;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (wait4(child, &status, 0, &usage) != child) return 2;
    struct rusage below;
    getrusage(RUSAGE_CHILDREN, &below);
    FILE *file = fopen(argv[1], "w");
    if (!file) return 2;
    fprintf(file, "%ld\n", below.ru_maxrss > usage.ru_maxrss ? below.ru_maxrss : usage.ru_maxrss);
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
