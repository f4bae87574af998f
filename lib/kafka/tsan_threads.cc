// ThreadSanitizer of GCC 12 knows POSIX's threads, not C11's, which librdkafka uses: a thread that
// it has not seen begin crashes it. So here those are made of these. glibc gives both one layout.

#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include <memory>

namespace {

int result(int error) {
  if (error == 0) return thrd_success;
  if (error == EBUSY) return thrd_busy;
  return error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

struct Start {
  thrd_start_t run;
  void* argument;
};

// What a thread returns is dropped: nobody reads it.
void* run(void* start) {
  const std::unique_ptr<Start> taken(static_cast<Start*>(start));
  taken->run(taken->argument);
  return nullptr;
}

pthread_mutex_t* mutex_of(mtx_t* mutex) {
  return reinterpret_cast<pthread_mutex_t*>(mutex);
}

pthread_cond_t* condition_of(cnd_t* condition) {
  return reinterpret_cast<pthread_cond_t*>(condition);
}

}  // namespace

extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  return result(pthread_create(thread, nullptr, run, new Start{function, argument}));
}
int thrd_join(thrd_t thread, int* returned) {
  if (returned != nullptr) *returned = 0;
  return result(pthread_join(thread, nullptr));
}
int thrd_detach(thrd_t thread) {
  return result(pthread_detach(thread));
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((type & mtx_recursive) != 0) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  return result(pthread_mutex_init(mutex_of(mutex), &attributes));
}
void mtx_destroy(mtx_t* mutex) {
  pthread_mutex_destroy(mutex_of(mutex));
}
int mtx_lock(mtx_t* mutex) {
  return result(pthread_mutex_lock(mutex_of(mutex)));
}
int mtx_trylock(mtx_t* mutex) {
  return result(pthread_mutex_trylock(mutex_of(mutex)));
}
int mtx_unlock(mtx_t* mutex) {
  return result(pthread_mutex_unlock(mutex_of(mutex)));
}

int cnd_init(cnd_t* condition) {
  return result(pthread_cond_init(condition_of(condition), nullptr));
}
void cnd_destroy(cnd_t* condition) {
  pthread_cond_destroy(condition_of(condition));
}
int cnd_signal(cnd_t* condition) {
  return result(pthread_cond_signal(condition_of(condition)));
}
int cnd_broadcast(cnd_t* condition) {
  return result(pthread_cond_broadcast(condition_of(condition)));
}
int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return result(pthread_cond_wait(condition_of(condition), mutex_of(mutex)));
}
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const struct timespec* until) {
  return result(pthread_cond_timedwait(condition_of(condition), mutex_of(mutex), until));
}

}  // extern "C"
