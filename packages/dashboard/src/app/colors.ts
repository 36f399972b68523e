/** Colours by the name of their variable in the styles, such as `--up`; all are there. */
export type ColorOf = (variable: string) => string

const REFERENCE = /^var\((--[a-z-]+)\)$/

/** Returns the present colours, for what is drawn without styles. */
export function currentColors (): ColorOf {
  const style = getComputedStyle(document.documentElement)
  return function colorOf (variable): string {
    const value = style.getPropertyValue(variable).trim()
    const other = REFERENCE.exec(value)?.[1]
    return other === undefined ? value : colorOf(other)
  }
}

/** Calls a listener when the theme or the language changes, and with them the colours. @returns ends it */
export function onColorsChange (listener: () => void): () => void {
  const observer = new MutationObserver(listener)
  observer.observe(document.documentElement, { attributeFilter: ['data-theme', 'lang'] })
  return () => { observer.disconnect() }
}
