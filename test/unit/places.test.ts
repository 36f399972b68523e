import fc from 'fast-check'
import { test } from 'tap'
import { addressGroup } from '../../src/connection/address.js'
import { type ConnectionSlot, ConnectionQuota } from '../../src/connection/connection-quota.js'

test('groups addresses that are one client', async t => {
  for (const [ip, group] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['fe80::1:2%eth0', 'fe80:0:0:0::/64'],
    ['fe80::1%eth1', 'fe80:0:0:0::/64'],
    ['', ''],
    [undefined, ''],
    ['unknown', 'unknown'],
    ['1.2.3.4:5678', '1.2.3.4:5678'],
    ['x'.repeat(1000), 'x'.repeat(64)]
  ] as const) t.equal(addressGroup(ip), group, String(ip))
})

test('groups an IPv6 address in any spelling alike, and other networks apart', async t => {
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  fc.assert(fc.property(groups, groups, ([a, b, c, d, ...host], [,,,, ...otherHost]) => {
    const network = [a!, b!, c!, d!]
    const full = (parts: readonly number[]): string => [...network, ...parts].map(part => part.toString(16).padStart(4, '0')).join(':')
    // `URL` shortens an address as RFC 5952 says.
    const short = new URL(`http://[${full(host)}]`).hostname.slice(1, -1)
    const mapped = network.every(part => part === 0) && host[0] === 0 && host[1] === 0xffff
    if (mapped) return
    if (addressGroup(full(host)) !== addressGroup(short)) throw new Error(`${full(host)} ${short}`)
    if (addressGroup(full(host)) !== addressGroup(full([1, ...otherHost.slice(1)]))) {
      throw new Error(full(host))
    }
    const elsewhere = [...network.slice(0, 3), d! ^ 1, ...host].map(part => part.toString(16)).join(':')
    if (addressGroup(elsewhere) === addressGroup(short)) throw new Error(elsewhere)
  }))
  t.pass('100 addresses')
})

test('limits places in all, by address and by user, and gives each back once', async t => {
  const limits = { maxConnections: 6, maxConnectionsPerIp: 3, maxConnectionsPerUser: 2 }
  const places = new ConnectionQuota(limits)
  const refusal = (take: () => unknown): string => {
    try {
      take()
      return 'taken'
    } catch (error) {
      return (error as Error).message
    }
  }
  const alice = places.take('10.0.0.1', 'alice')
  places.take('10.0.0.2', 'alice')
  t.equal(refusal(() => places.take('10.0.0.3', 'alice')), 'this server takes at most 2 connections of one user')
  const known = places.take('10.0.0.3', undefined)
  t.equal(refusal(() => { known.claim('alice') }), 'this server takes at most 2 connections of one user', 'also when the user becomes known later')
  alice.release()
  alice.release()
  known.claim('alice')
  known.claim('alice')
  t.equal(refusal(() => places.take('10.0.0.4', 'alice')), 'this server takes at most 2 connections of one user', 'each place counts once')
  known.release()
  known.claim('alice')
  t.equal(places.taken, 1)
  t.equal(refusal(() => places.take('10.0.0.4', 'alice')), 'taken', 'a place that was given back counts for nobody')

  const six = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::'].map(ip => places.take(ip, undefined))
  t.equal(refusal(() => places.take('2001:db8::3', 'bob')), 'this server takes at most 3 connections from one address')
  t.equal(refusal(() => places.take('2001:db8:0:1::3', 'bob')), 'taken')
  t.equal(refusal(() => places.take('10.0.0.9', undefined)), 'this server takes at most 6 connections')
  for (const place of six) place.release()
  t.equal(places.taken, 3)
})

test('counts exactly what is held, whatever is taken, claimed and released', async t => {
  const limits = { maxConnections: 8, maxConnectionsPerIp: 4, maxConnectionsPerUser: 3 }
  const step = fc.record({ what: fc.constantFrom('take', 'claim', 'release'), which: fc.nat(20), ip: fc.constantFrom('a', 'b', 'c'), user: fc.constantFrom('u', 'v', undefined) })
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), steps => {
    const places = new ConnectionQuota(limits)
    const held: Array<{ place: ConnectionSlot, ip: string, user: string | undefined }> = []
    const count = (holds: (one: (typeof held)[number]) => boolean): number => held.filter(holds).length
    for (const { what, which, ip, user } of steps) {
      const one = held[which % Math.max(1, held.length)]
      if (what === 'release' && one !== undefined) {
        one.place.release()
        held.splice(held.indexOf(one), 1)
      } else if (what === 'claim' && one !== undefined && user !== undefined) {
        const free = one.user !== undefined ||
          count(other => other.user === user) < limits.maxConnectionsPerUser
        const claimed = attempt(() => { one.place.claim(user) })
        if (claimed !== free) throw new Error(`claim ${user}`)
        if (claimed) one.user ??= user
      } else if (what === 'take') {
        const free = held.length < limits.maxConnections &&
          count(other => other.ip === ip) < limits.maxConnectionsPerIp &&
          (user === undefined || count(other => other.user === user) < limits.maxConnectionsPerUser)
        const taken = attempt(() => { held.push({ place: places.take(ip, user), ip, user }) })
        if (taken !== free) throw new Error(`take ${ip} ${user}`)
      }
      if (places.taken !== held.length) throw new Error(`${places.taken} of ${held.length}`)
    }
  }), { numRuns: 500 })
  t.pass('500 histories')
})

function attempt (act: () => void): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}
