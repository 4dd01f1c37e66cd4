/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One source, two builds: what differs between the program in the kernel and
 * its native twin (capture files, unit tests, fuzzing) is here and in
 * maps.bpf.h and clock.bpf.h; every other header reads the same in both.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __bpf__

#define IS_NATIVE false

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

/* Set by the daemon between open and load; the verifier removes dead branches. */
#define TUNABLE	  const volatile
#define UNROLL	  _Pragma("unroll")
#define NO_UNROLL _Pragma("clang loop unroll(disable)")

/* Verified once, for any argument, instead of once per caller's state. */
#define GLOBAL_FUNCTION __noinline

/* Hide a value's origin from the optimiser (verifier-friendly code, ordering). */
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#define ATOMIC_ADD(ptr, value) ((void)__sync_fetch_and_add((ptr), (value)))
#define ATOMIC_OR(ptr, value)  ((void)__sync_fetch_and_or((ptr), (value)))

/* What was there before; a full barrier. */
#define ATOMIC_FETCH_ADD(ptr, value) __sync_fetch_and_add((ptr), (value))

/* A number of a packet header: aligned there, or the kernel says that it need not be. */
#define HEADER_LOAD(type, at) (*(const type *)(at))

#else /* native: one thread owns the tables, so plain operations are exact */

#define IS_NATIVE true

#include <bpf/bpf_endian.h>

#define TUNABLE static __attribute__((unused))
#define UNROLL
#define NO_UNROLL
#undef __always_inline
#define __always_inline		     inline __attribute__((always_inline))
#define GLOBAL_FUNCTION		     static inline
#define barrier_var(var)	     asm volatile("" : "+r"(var))
#define ATOMIC_ADD(ptr, value)	     ((void)(*(ptr) += (value)))
#define ATOMIC_OR(ptr, value)	     ((void)(*(ptr) |= (value)))
#define ATOMIC_FETCH_ADD(ptr, value) ((*(ptr) += (value)) - (value))
#define HEADER_LOAD(type, at)	     (((const struct { type v; } __attribute__((packed)) *)(at))->v)

#endif

/* Says where the code of the common case goes, and what its registers are for. */
#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Tries of a compare-and-swap: each that fails means that another CPU made progress. */
#define CAS_ROUNDS 16

/* Loads and stores that meet other CPUs or the daemon. */
#define READ_ONCE_(x)	  (*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE_(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
