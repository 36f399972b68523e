import { test } from 'tap'
import type { EpochStart } from '../../src/log/log.js'
import { Lineage } from '../../src/log/lineage.js'
import { isGood } from '../../src/log/log.js'

/**
 * How a node moves from one history of a shard to another. Epochs are numbers, each with the offset at which
 * it began.
 */
const epochs = (...pairs: Array<[epoch: number, start: number]>): EpochStart[] =>
  pairs.map(([epoch, start]) => ({ epoch, start }))

test('announces each new epoch of the log once, and enters none twice', t => {
  const lineage = new Lineage(epochs([1, 1], [2, 50]))
  t.same(lineage.left, [1], 'the epochs before it began are left')
  t.same(lineage.follow(epochs([1, 1], [2, 50])), [])
  t.same(lineage.follow(epochs([1, 1], [2, 50], [3, 100], [4, 120])), epochs([3, 100], [4, 120]))
  t.equal(lineage.current, 4)
  t.same(new Set(lineage.left), new Set([1, 2, 3]))
  t.end()
})

test('takes back what it passed on since the histories parted if an old master went on by itself', t => {
  const lineage = new Lineage(epochs([1, 1]))
  lineage.follow(epochs([1, 1], [2, 100]))
  // The old master began a third epoch at 111.
  t.same(
    lineage.follow(epochs([1, 1], [3, 111])),
    epochs([1, 100], [3, 111]),
    'they part where the second epoch began'
  )
  // Back again: the new master began a fourth epoch at 131.
  t.same(
    lineage.follow(epochs([1, 1], [2, 100], [4, 131])),
    epochs([1, 111], [2, 100], [4, 131]),
    'they part where either left the first epoch'
  )
  t.same(new Set(lineage.left), new Set([1, 2, 3]))
  t.end()
})

test('treats a log that knows none of the epochs as another log', t => {
  const lineage = new Lineage(epochs([1, 1], [2, 100]))
  t.same(lineage.follow(epochs([9, 1])), epochs([9, 1]))
  t.same(lineage.left, [1, 2])
  t.end()
})

test('leaves an epoch that has less than was passed on before it knows the next', t => {
  const lineage = new Lineage(epochs([1, 1]))
  lineage.leave()
  t.same(lineage.left, [1])
  t.same(lineage.follow(epochs([1, 1], [2, 80])), epochs([2, 80]))
  t.end()
})

test('remembers a bounded number of left epochs, the newest ones', t => {
  const lineage = new Lineage(epochs([1, 1]))
  for (let epoch = 2; epoch <= 200; epoch++) lineage.follow(epochs([epoch, epoch]))
  t.equal(lineage.left.length, 64)
  t.equal(lineage.left.at(-1), 199)
  t.end()
})

test('judges positions of all followed histories by where they were left', t => {
  const told = epochs([1, 1])
  const lineage = new Lineage([...told])
  const followed = [epochs([1, 1], [2, 100]), epochs([1, 1], [3, 111]), epochs([1, 1], [2, 100], [4, 131])]
  for (const next of followed) {
    told.push(...lineage.follow(next))
  }
  const head = { epoch: 4, offset: 140, epochs: told }
  const good = (epoch: number, offset: number): boolean => isGood({ epoch, offset }, head)
  t.same([good(1, 99), good(1, 100)], [true, false], 'the first epoch, before it was left for the second')
  t.same([good(2, 130), good(2, 131)], [true, false], 'the second, which is part of the log')
  t.same([good(3, 99), good(3, 112)], [true, false], 'the third, which is not')
  t.same([good(4, 140), good(4, 141)], [true, false])
  t.end()
})
