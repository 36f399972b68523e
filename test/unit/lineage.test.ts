import { test } from 'tap'
import type { EpochStart } from '../../src/log/log.js'
import { Lineage } from '../../src/log/redis/tail/lineage.js'
import { isGood } from '../../src/log/log.js'

/** How a node goes over from one history of a shard to another. Epochs are numbers, each with the offset at which it began. */
const epochs = (...pairs: Array<[epoch: number, start: number]>): EpochStart[] => pairs.map(([epoch, start]) => ({ epoch, start }))

test('the log goes on in new epochs: each is told, none is entered twice', t => {
  const lineage = new Lineage(epochs([1, 1], [2, 50]))
  t.same(lineage.left, [1], 'what lay behind when it began')
  t.same(lineage.follow(epochs([1, 1], [2, 50])), [])
  t.same(lineage.follow(epochs([1, 1], [2, 50], [3, 100], [4, 120])), epochs([3, 100], [4, 120]))
  t.equal(lineage.current, 4)
  t.same(new Set(lineage.left), new Set([1, 2, 3]))
  t.end()
})

test('an old master has gone on by itself: what was told since they parted is taken back', t => {
  const lineage = new Lineage(epochs([1, 1]))
  lineage.follow(epochs([1, 1], [2, 100]))
  // The old master has begun a third at 111.
  t.same(lineage.follow(epochs([1, 1], [3, 111])), epochs([1, 100], [3, 111]), 'they part where the second began')
  // And back: the new master has begun a fourth at 131.
  t.same(lineage.follow(epochs([1, 1], [2, 100], [4, 131])), epochs([1, 111], [2, 100], [4, 131]), 'they part where either left the first')
  t.same(new Set(lineage.left), new Set([1, 2, 3]))
  t.end()
})

test('a log that knows none of the epochs is another', t => {
  const lineage = new Lineage(epochs([1, 1], [2, 100]))
  t.same(lineage.follow(epochs([9, 1])), epochs([9, 1]))
  t.same(lineage.left, [1, 2])
  t.end()
})

test('an epoch that has less than was told is left before another is known', t => {
  const lineage = new Lineage(epochs([1, 1]))
  lineage.leave()
  t.same(lineage.left, [1])
  t.same(lineage.follow(epochs([1, 1], [2, 80])), epochs([2, 80]))
  t.end()
})

test('what is remembered as left is bounded, the newest stay', t => {
  const lineage = new Lineage(epochs([1, 1]))
  for (let epoch = 2; epoch <= 200; epoch++) lineage.follow(epochs([epoch, epoch]))
  t.equal(lineage.left.length, 64)
  t.equal(lineage.left.at(-1), 199)
  t.end()
})

test('positions of all histories that were followed are judged by where they were left', t => {
  const told = epochs([1, 1])
  const lineage = new Lineage([...told])
  for (const next of [epochs([1, 1], [2, 100]), epochs([1, 1], [3, 111]), epochs([1, 1], [2, 100], [4, 131])]) told.push(...lineage.follow(next))
  const head = { epoch: 4, offset: 140, epochs: told }
  const good = (epoch: number, offset: number): boolean => isGood({ epoch, offset }, head)
  t.same([good(1, 99), good(1, 100)], [true, false], 'the first, before it was left for the second')
  t.same([good(2, 130), good(2, 131)], [true, false], 'the second, which is a part of the log')
  t.same([good(3, 99), good(3, 112)], [true, false], 'the third, which is not')
  t.same([good(4, 140), good(4, 141)], [true, false])
  t.end()
})
