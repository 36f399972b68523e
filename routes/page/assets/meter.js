/** The time over which the figures are taken. */
const SPAN_MS = 3000
/** The most latencies to keep: a median needs no more, however fast messages come. */
const MAX_LATENCIES = 512

/** Measures messages a second, and the median latency, over the last seconds. */
export class Meter {
  #total = 0
  #marks = [{ time: performance.now(), total: 0 }]
  #latencies = new Float64Array(MAX_LATENCIES)
  #times = new Float64Array(MAX_LATENCIES).fill(-Infinity)
  #next = 0

  count () {
    this.#total++
  }

  latency (milliseconds) {
    this.#latencies[this.#next] = milliseconds
    this.#times[this.#next] = performance.now()
    this.#next = (this.#next + 1) % MAX_LATENCIES
  }

  /** Returns the figures; called a few times a second. */
  read () {
    const now = performance.now()
    this.#marks.push({ time: now, total: this.#total })
    while (this.#marks.length > 2 && this.#marks[1].time < now - SPAN_MS) this.#marks.shift()
    const [oldest] = this.#marks
    const recent = this.#latencies.filter((_, index) => this.#times[index] > now - SPAN_MS).sort()
    return {
      perSecond: now > oldest.time ? (this.#total - oldest.total) * 1000 / (now - oldest.time) : 0,
      latencyMs: recent.length === 0 ? undefined : recent[recent.length >> 1],
    }
  }
}
