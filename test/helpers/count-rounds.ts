import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../../src/log/log.js'

/**
 * Lets reads of a log take a while, and counts how many there are, and how often one begins while no other is
 * under way: those are round trips, one after another.
 */
export function countRounds (log: Log): { rounds: number, reads: number } {
  const counted = { rounds: 0, reads: 0 }
  let underWay = 0
  const { read } = log
  log.read = async (...question) => {
    counted.reads++
    if (underWay++ === 0) counted.rounds++
    await delay(1)
    try {
      return await read.apply(log, question)
    } finally {
      underWay--
    }
  }
  return counted
}
