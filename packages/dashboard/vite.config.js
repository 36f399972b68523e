import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/**
 * Builds the pages into dist/dashboard of the server, which serves them. All their URLs are relative, so that
 * they work under any prefix, of the server or of a proxy.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the server forbids everything inline, data: too.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ['index.html', 'monitor.html', 'console.html'] },
  },
})
