import { useCallback, useState } from 'react'

/** Returns what to give an element as `ref`, and its height in CSS pixels; 0 before it is shown. */
export function useHeight (): [ref: (element: HTMLElement | null) => () => void, height: number] {
  const [height, setHeight] = useState(0)
  const ref = useCallback((element: HTMLElement | null) => {
    const observer = new ResizeObserver(([entry]) => { setHeight(entry?.contentRect.height ?? 0) })
    if (element !== null) observer.observe(element)
    return () => { observer.disconnect() }
  }, [])
  return [ref, height]
}
