import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** By how many percent resident memory may grow from minute five to the end. */
export const MOST_GROWN_PERCENT = 5
const MINUTE_MS = 60_000
/** Minute five: from 4:30 to 5:30, when caches and lists of free memory have their size. */
const EARLY_FROM_MS = 4.5 * MINUTE_MS
const EARLY_TO_MS = 5.5 * MINUTE_MS
/** The shortest run that is judged: minute five and the last minute must lie well apart. */
export const LEAST_JUDGED_MS = 10 * MINUTE_MS

/** Bytes in memory at a time since the clients began. */
export interface Sample {
  readonly at: number
  readonly bytes: number
}

export const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

/** Bytes of a process that are in memory. */
export function residentBytes (pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

export interface SampleOptions {
  readonly everyMs: number
  /** Undefined where the process has ended: nothing is sampled then. */
  readonly bytes: () => number | undefined
  /** Whether it goes on after so many milliseconds. */
  readonly goesOn: (elapsedMs: number) => boolean
  /** Called every {@link PROGRESS_MS}. */
  readonly onProgress?: (sample: Sample) => void
}

const PROGRESS_MS = 10_000

/** Samples a process's memory, for as long as that goes on. */
export async function sampleMemory (options: SampleOptions): Promise<Sample[]> {
  const { everyMs, bytes, goesOn, onProgress } = options
  const samples: Sample[] = []
  const began = Date.now()
  let saidAt = 0
  for (let at = 0; goesOn(at);) {
    await delay(everyMs)
    at = Date.now() - began
    const resident = bytes()
    if (resident === undefined) continue
    samples.push({ at, bytes: resident })
    if (at - saidAt < PROGRESS_MS) continue
    saidAt = at
    onProgress?.(samples.at(-1)!)
  }
  return samples
}

export interface MemoryVerdict {
  readonly early: number
  readonly last: number
  /** Negative where it became less. */
  readonly grownPercent: number
  readonly holds: boolean
}

/** Undefined for a run that is too short to be judged. */
export function judgeMemory (samples: readonly Sample[], lastedMs: number): MemoryVerdict | undefined {
  if (lastedMs < LEAST_JUDGED_MS) return undefined
  const early = median(samples.filter(({ at }) => at >= EARLY_FROM_MS && at < EARLY_TO_MS))
  const last = median(samples.filter(({ at }) => at >= lastedMs - MINUTE_MS))
  const grownPercent = 100 * (last - early) / early
  return { early, last, grownPercent, holds: grownPercent <= MOST_GROWN_PERCENT }
}

/** The median of each minute, in MiB. */
export function byMinute (samples: readonly Sample[]): number[] {
  const minutes: Sample[][] = []
  for (const sample of samples) (minutes[Math.floor(sample.at / MINUTE_MS)] ??= []).push(sample)
  return [...minutes].map((minute = []) => Number((median(minute) / 2 ** 20).toFixed(1)))
}

function median (samples: readonly Sample[]): number {
  const sorted = samples.map(({ bytes }) => bytes).sort((a, b) => a - b)
  return sorted[sorted.length >>> 1] ?? NaN
}
