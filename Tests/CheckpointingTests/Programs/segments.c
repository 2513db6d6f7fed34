// System V shared memory: segments keep number, key, owner's permissions and attachments; one that was removed
// lives on until the last mapping goes; one is mapped in part, one for reading only.
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

enum { size = 5 * 4096, rounds = 100 };

static int kept, removed, key;
static _Atomic int *one, *two;
static const volatile int *readable;

static int step(int parity) {
  for (int round = 0; round < rounds; round++) {
    while (atomic_load(one) != 2 * round + parity) usleep(200);
    struct shmid_ds status;
    if (shmctl(kept, IPC_STAT, &status) || status.shm_segsz != size - 100) return 20;
    if ((status.shm_perm.mode & 0777) != 0620 || status.shm_perm.__key != key) return 21;
    if (status.shm_nattch != 4) return 22;
    if (shmctl(removed, IPC_STAT, &status) || !(status.shm_perm.mode & SHM_DEST)) return 23;
    if (status.shm_nattch != 2 || status.shm_perm.__key) return 24;
    if (*readable != atomic_load(one)) return 25;
    if (atomic_load(two) != 7 * atomic_load(one)) return 26;
    atomic_fetch_add(two, 7);
    usleep(5000);
    atomic_fetch_add(one, 1);
  }
  return 0;
}

int main(void) {
  key = 0x46540000 | (getpid() & 0xffff);
  kept = shmget(key, size - 100, IPC_CREAT | IPC_EXCL | 0620);
  removed = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
  one = shmat(kept, NULL, 0);
  readable = shmat(kept, NULL, SHM_RDONLY);
  char *whole = shmat(removed, NULL, 0);
  if (kept < 0 || removed < 0 || one == (void *)-1 || readable == (void *)-1 || whole == (void *)-1) return 1;
  shmctl(removed, IPC_RMID, NULL);
  // Only the third page of it stays.
  munmap(whole, 2 * 4096), munmap(whole + 3 * 4096, 2 * 4096);
  two = (_Atomic int *)(whole + 2 * 4096);
  pid_t child = fork();
  if (child == 0) {
    int result = step(1);
    // Detached only when the parent has looked for the last time.
    while (atomic_load(one) != 2 * rounds + 1) usleep(200);
    _exit(result);
  }
  int result = step(0);
  while (result == 0 && atomic_load(one) < 2 * rounds) usleep(200);
  atomic_fetch_add(one, 1);
  int status;
  waitpid(child, &status, 0);
  if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status))) result = WEXITSTATUS(status) + 100;
  if (result == 0 && shmget(key, 0, 0) != kept) result = 30;
  shmctl(kept, IPC_RMID, NULL);
  if (shmdt((void *)one) || shmdt((void *)readable)) return 31;
  struct shmid_ds gone;
  if (shmctl(kept, IPC_STAT, &gone) != -1) return 32;
  return result;
}
