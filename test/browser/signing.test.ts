import { build } from 'esbuild'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { ROOT } from '../helpers/root.js'
import { startServer } from '../helpers/server.js'
import { type SigningVectors, vectors, vectorsText } from '../helpers/signing-vectors.js'

/** Runs in the page: returns the names of what is not as the vectors say, and how much was checked. */
const CHECK = `(async () => {
  const { canonicalJson, importOrderKey, orderText, requestText, signOrder, signRequest, verifyOrder, verifyRequest } = signing
  const failed = []
  let checked = 0
  const check = (name, good) => { checked++; if (!good) failed.push(name) }
  const keyOf = (name, use) => importOrderKey(vectors.keys[name], use)
  for (const { name, json, canonical } of vectors.canonical) check(name, canonicalJson(JSON.parse(json)) === canonical)
  for (const { name, json } of vectors.without_canonical) {
    let threw = false
    try { canonicalJson(JSON.parse(json)) } catch { threw = true }
    check(name, threw)
  }
  for (const { name, key, action, message, signed } of vectors.requests) {
    check(name + ', text', requestText(action, message) === signed)
    check(name + ', signature', await signRequest(await keyOf(key, 'sign'), action, message) === message.signature)
    check(name, await verifyRequest(await keyOf(key, 'verify'), action, message))
  }
  for (const { name, key, data, signed } of vectors.orders) {
    check(name + ', text', orderText(data) === signed)
    check(name + ', signature', await signOrder(await keyOf(key, 'sign'), data) === data.signature)
    check(name, await verifyOrder([await keyOf('other', 'verify'), await keyOf(key, 'verify')], data))
  }
  for (const { name, key, action, message } of vectors.tampered_requests) check(name, !await verifyRequest(await keyOf(key, 'verify'), action, message))
  for (const { name, key, data } of vectors.tampered_orders) check(name, !await verifyOrder([await keyOf(key, 'verify')], data))
  return { failed, checked }
})()`

test('a page signs and verifies as the vectors do', inBrowser, async t => {
  const { outputFiles } = await build({
    stdin: { contents: "export * from '@tickwire/protocol/signing'", resolveDir: ROOT },
    bundle: true,
    format: 'iife',
    globalName: 'signing',
    platform: 'browser',
    write: false
  })
  const server = await startServer(t)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${server.origin}/healthz`)
  await page.addScriptTag({ content: `${outputFiles[0]!.text}\nvar vectors = ${vectorsText}` })
  const { failed, checked } = await page.evaluate(CHECK) as { failed: string[], checked: number }
  t.same(failed, [])
  const countOf = (...kinds: Array<Exclude<keyof SigningVectors, 'keys'>>): number =>
    kinds.reduce((count, kind) => count + vectors[kind].length, 0)
  const once = countOf('canonical', 'without_canonical', 'tampered_requests', 'tampered_orders')
  t.equal(checked, once + 3 * countOf('requests', 'orders'), 'none is left out')
})
