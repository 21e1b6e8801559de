/* Loaded before a program: notes how long each of SQLite's logs was when it was last synced. A machine that loses its
 * power keeps so much of it for sure, and may keep no more. One size of eight bytes is added to LOG.synced for each sync. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ending[] = "-wal", noted[] = ".synced";

static int noting(const char *name, int file) {
    struct stat before;
    int known = fstat(file, &before) == 0;
    int (*sync_it)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int answer = sync_it(file);
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - sizeof noted);
    size_t tail = sizeof ending - 1;
    if (answer || !known || length < (ssize_t)tail || memcmp(path + length - tail, ending, tail))
        return answer;
    memcpy(path + length, noted, sizeof noted);
    int notes = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int64_t size = before.st_size;
    if (write(notes, &size, sizeof size) != sizeof size)
        answer = -1;
    close(notes);
    return answer;
}

int fsync(int file) { return noting("fsync", file); }
int fdatasync(int file) { return noting("fdatasync", file); }
