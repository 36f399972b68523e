import { test } from 'tap'
import { ConfigError } from '../../src/config.js'
import { NotAFeed, readFeed } from '../../src/sources/news/feed-document.js'
import { parseFeeds } from '../../src/sources/news/feeds.js'
import { plainText } from '../../src/sources/news/plain-text.js'
import { publishTime } from '../../src/sources/news/publish-time.js'

const BASE = 'https://news.example/feeds/rss.xml'
const rss = (items: string, channel = '<title>Wire</title>'): string =>
  `<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>${channel}${items}</channel></rss>`

test('reads RSS 2.0: titles with markup and entities, links, dates, and what stands beside them', t => {
  const { title, items, unusable } = readFeed(rss(`
    <item>
      <title>AT&amp;amp;T &amp; &lt;b&gt;Apple&lt;/b&gt; agree</title>
      <media:title>not this</media:title><atom:link href="https://elsewhere.example/"/>
      <link> /a?id=1&amp;x=2 </link><guid isPermaLink="false">g1</guid>
      <description><![CDATA[<p>One.</p><p>Two &nbsp;&euro;3 <script>alert(1)</script></p>]]></description>
      <pubDate>Wed, 02 Oct 2002 13:00:00 GMT</pubDate><x:sentiment>positive</x:sentiment>
    </item>
    <item><description>Without a title</description><guid>https://news.example/b</guid></item>
    <item><title> </title></item>`, '<title>Wire &amp; Co</title><image><title>Logo</title></image>'), BASE)
  t.equal(title, 'Wire & Co')
  t.equal(unusable, 1)
  t.strictSame(items, [
    {
      id: 'g1',
      headline: 'AT&T & Apple agree',
      summary: 'One. Two €3',
      link: 'https://news.example/a?id=1&x=2',
      date: 'Wed, 02 Oct 2002 13:00:00 GMT',
      sentiment: 'positive'
    },
    { id: 'https://news.example/b', headline: 'Without a title', link: 'https://news.example/b' }
  ])
  t.end()
})

test('reads RSS 1.0', t => {
  const { title, items } = readFeed(`<rdf:RDF xmlns:rdf="x" xmlns="y"><channel rdf:about="c"><title>Old wire</title></channel>
    <item rdf:about="urn:1"><title>삼성전자 실적</title><link>https://k.example/1</link><dc:date>2026-01-02T03:04:05+09:00</dc:date></item>
    </rdf:RDF>`, BASE)
  t.equal(title, 'Old wire')
  t.strictSame(items, [
    { id: 'urn:1', headline: '삼성전자 실적', link: 'https://k.example/1', date: '2026-01-02T03:04:05+09:00' }
  ])
  t.end()
})

test('reads Atom with and without a prefix, each text by its type', t => {
  for (const [p, xmlns] of [['', 'xmlns'], ['a:', 'xmlns:a']]) {
    const { title, items } = readFeed(`<${p}feed ${xmlns}="http://www.w3.org/2005/Atom"><${p}title>Wire</${p}title>
      <${p}link rel="self" href="/self"/>
      <${p}entry><${p}id>urn:uuid:1</${p}id><${p}title>1 &lt; 2 &amp; x</${p}title>
        <${p}link rel="self" href="/no"/><${p}link href="/yes"/>
        <${p}summary type="html">&lt;i&gt;Hi&lt;/i&gt;</${p}summary>
        <${p}updated>2026-01-03T00:00:00Z</${p}updated><${p}published>2026-01-02T00:00:00Z</${p}published></${p}entry>
      <${p}entry><${p}id>2</${p}id><${p}title type="xhtml"><div>Big <b>news</b></div></${p}title></${p}entry>
      </${p}feed>`, BASE)
    t.equal(title, 'Wire')
    t.strictSame(items, [
      { id: 'urn:uuid:1', headline: '1 < 2 & x', summary: 'Hi', link: 'https://news.example/yes', date: '2026-01-02T00:00:00Z' },
      { id: '2', headline: 'Big news' }
    ])
  }
  t.end()
})

test('says what a document is that is no feed', t => {
  const fault = (text: string): string => {
    try {
      readFeed(text, BASE)
      return 'none'
    } catch (error) {
      return error instanceof NotAFeed ? error.message : `other: ${String(error)}`
    }
  }
  t.match(fault(''), 'no XML element')
  t.match(fault('{"items":[]}'), 'no XML element')
  t.match(fault('<!doctype html><html><body>Sign in</body></html>'), '<html>')
  t.match(fault(rss('<item><title>a</title></item><item><title>half of a head').replace('</channel></rss>', '')), /ends before its last element, after 1 items/)
  t.match(fault(rss('<a>'.repeat(1000))), '100 deep')
  t.end()
})

test('shows nothing of the feed\'s address but its path, whatever a link is relative to', t => {
  const links = (base: string, ...links: readonly string[]): Array<string | undefined> =>
    readFeed(rss(links.map(link => `<item><title>x</title><link>${link}</link></item>`).join('')), base)
      .items.map(({ link }) => link)
  const base = 'https://me:hunter2@news.example/feeds/rss.xml?apikey=SECRET#SECRET'
  t.strictSame(links(base, '#c', '?page=2', 'a', '/a', '//other.example/a'), [
    'https://news.example/feeds/rss.xml#c', 'https://news.example/feeds/rss.xml?page=2',
    'https://news.example/feeds/a', 'https://news.example/a', 'https://other.example/a'
  ])
  const { items } = readFeed('<feed><entry><title>x</title><link href=""/></entry></feed>', base)
  t.equal(items[0]!.link, 'https://news.example/feeds/rss.xml')
  t.end()
})

test('expands no entity of a document, and takes a bounded number of items', t => {
  const bomb = '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
  const { items } = readFeed(rss('<item><title>x &b; &x;</title></item>').replace('?>', `?>${bomb}`), BASE)
  t.equal(items[0]!.headline, 'x &b; &x;')
  t.equal(readFeed(rss('<item><title>x</title></item>'.repeat(10_000)), BASE).items.length, 500)
  const long = readFeed(rss(`<item><title>${'w '.repeat(50_000)}</title><link>javascript:alert(1)</link></item>`), BASE).items[0]!
  t.ok(long.headline.length <= 1024 && long.headline.endsWith('…'))
  t.equal(long.link, undefined)
  t.end()
})

test('makes one line of plain text', t => {
  t.equal(plainText('<p>a</p>\n<ul><li>b<li>c</ul>', 100), 'a b c')
  t.equal(plainText('Profit < 5% &amp; rising > 3&#x27;', 100), "Profit < 5% & rising > 3'")
  t.equal(plainText('a\u0000b\u202ec \ud800', 100), 'abc \ufffd')
  t.equal(plainText('un<b>believ</b>able<br>now', 100), 'unbelievable now')
  t.equal(plainText('x😀😀', 3), 'x…')
  t.end()
})

test('reads the dates that feeds have, and refuses those that cannot be', t => {
  const now = Date.parse('2026-03-01T12:00:00Z')
  const at = (text: string): string | undefined => {
    const time = publishTime(text, now)
    return time === undefined ? undefined : new Date(time).toISOString()
  }
  t.equal(at('Sun, 01 Mar 2026 10:00:00 GMT'), '2026-03-01T10:00:00.000Z')
  t.equal(at('Sun, 1 Mar 2026 19:00:00 KST'), '2026-03-01T10:00:00.000Z')
  t.equal(at('01 Mar 2026 10:00:00 +0200'), '2026-03-01T08:00:00.000Z')
  t.equal(at('Sun, 01 Mar 2026 10:00:00'), '2026-03-01T10:00:00.000Z')
  t.equal(at('2026-03-01T10:00:00.5+09:00'), '2026-03-01T01:00:00.500Z')
  t.equal(at('2026-03-01T10:00:00+0900'), '2026-03-01T01:00:00.000Z')
  t.equal(at('2026-03-01 10:00:00'), '2026-03-01T10:00:00.000Z')
  t.equal(at('2026-03-01'), '2026-03-01T00:00:00.000Z')
  t.equal(at('2026-03-01T12:03:00Z'), '2026-03-01T12:00:00.000Z', 'clocks differ a little')
  for (const bad of ['2026-03-01T13:00:00Z', '2026-02-30T00:00:00Z', 'Mon, 30 Feb 2026 10:00:00 GMT', 'yesterday', '', '5', 'now 2026']) {
    t.equal(at(bad), undefined, bad)
  }
  t.end()
})

test('reads NEWS_FEEDS, and says what is wrong with it without its queries', t => {
  const feeds = parseFeeds('https://a.example/rss?key=secret, https://a.example/rss?key=other')
  t.strictSame(feeds.map(({ name }) => name), ['a.example/rss', 'a.example/rss#2'])
  const refused = (text: string, why: RegExp): void => {
    t.throws(() => parseFeeds(text), new ConfigError(''))
    t.throws(() => parseFeeds(text), { message: why })
    t.throws(() => parseFeeds(text), { message: /^(?!.*secret)/s })
  }
  refused('file:///etc/passwd', /begins with file:/)
  refused('https://a.example/,b', /number 2 is not an address.*%2C/)
  refused('https://me:secret@a.example/', /password/)
  refused('https://a.example/?secret,https://a.example/?secret', /given twice/)
  refused(Array.from({ length: 101 }, (_, index) => `https://a.example/${index}`).join(), /at most 100/)
  t.end()
})
