/**
 * Names of companies that are ordinary words. One counts only as a ticker, or with its legal form behind it.
 */
export const ORDINARY_WORDS: ReadonlySet<string> = new Set((
  'Access Advance Alliance Ally American Arrow Assurant Avalanche Best Block Bloom Booking Boot Bright ' +
  'Build Capital Carnival Celsius Central Chart Chase Chewy City Coach Compass Copper Core Credit Cross ' +
  'Crown Danger Data Digital Discover Dollar Dynamic East Edge Element Energy Equity Exact Exchange Extra ' +
  'Fair Fast Federal Ferguson Financial First Five Flow Focus Forward Franklin Frontier Gain Gap General ' +
  'Global Gold Golden Grab Green Growth Guess Harmony Health Hope Host Ideal Impact Income Insight ' +
  'International Invest Iron Joint Kind Lead Lemonade Level Liberty Life Light Live Loop Lucid Main ' +
  'Marathon Market Markets Match Media Meta Monday Money More Motion Nation National Near Neo News Next ' +
  'Nice North Nova Offer Open Option Orange Order Pacific Paramount Peace Pioneer Plug Pool Post Power ' +
  'Premier Prime Progress Progressive Public Pulse Quest Quick Range Rapid Real Regal Regions Root Royal ' +
  'Safe Sage Salt Score Select Sense Service Shares Shell Shift Signal Silver Simple Sirius Smart Snap ' +
  'Solar Sonic South Southern Spark Sprout Sprouts Square Standard Star State Stock Stone Strategy Stride ' +
  'Summit Sun Super Surge Target Tech Tether Time Toast Total Tower Trade Trend Trust Union United Unity ' +
  'Universal Upstart Value Vector Vertex Visa Vision Vital Wave West Western Wise Wolf Work World Zero ' +
  'Zone'
).split(' '))
