// Before the first paint: dark or light as chosen, else as the system has it.
;(function () {
  var theme = 'auto'
  try {
    theme = localStorage.getItem('dayshift.theme') || 'auto'
  } catch {
    // Storage is switched off: the system decides.
  }
  var dark = theme === 'dark' || (theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
})()
