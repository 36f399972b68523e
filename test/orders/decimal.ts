/** Decimals as whole numbers of 10^-12. The judge shares no arithmetic with the exchange. */

const DECIMALS = 12
const ONE = 10n ** BigInt(DECIMALS)
/** Of what is divided. */
const SHOWN = 10n ** BigInt(DECIMALS - 8)

/** @throws Error for what is no decimal, or has more decimals than are counted here */
export function decimal (text: string): bigint {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  const decimals = parts?.[3] ?? ''
  if (parts === null || decimals.length > DECIMALS) throw new Error(`'${text}' is no decimal of this run`)
  const value = BigInt(parts[2]! + decimals.padEnd(DECIMALS, '0'))
  return parts[1] === '-' ? -value : value
}

/** @throws Error if the product has more decimals than are counted here */
export function times (a: bigint, b: bigint): bigint {
  const product = a * b
  if (product % ONE !== 0n) throw new Error('a product has too many decimals')
  return product / ONE
}

/** Returns a quotient to 8 decimals, half to even. Neither is below zero. */
export function quotient (a: bigint, b: bigint): bigint {
  const divisor = b * SHOWN
  const whole = a * ONE / divisor
  const twice = 2n * (a * ONE % divisor)
  const isUp = twice > divisor || (twice === divisor && whole % 2n === 1n)
  return (isUp ? whole + 1n : whole) * SHOWN
}

/** Returns it without zeros at its end. */
export function shown (value: bigint): string {
  const digits = String(value < 0n ? -value : value).padStart(DECIMALS + 1, '0')
  const text = `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`.replace(/\.?0+$/, '')
  return value < 0n ? `-${text}` : text
}
