// Search runs in a worker, which browsers refuse to a page that was opened as a file. There this class stands for
// `Worker` and runs the same script in a hidden frame. The theme would load such a script from a server, but for one
// whose path has "iframe-worker" in it (zensical.toml).
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      inside.postMessage = data => setTimeout(() => this.onmessage?.(new MessageEvent("message", { data })))
      const script = inside.document.createElement("script")
      this.loaded = new Promise((resolve, reject) => Object.assign(script, { src: url, onload: resolve, onerror: reject }))
      this.loaded.catch(error => this.onerror?.(error))
      inside.document.head.append(script)
    }

    postMessage(data) {
      this.loaded.then(() => this.frame.contentWindow?.onmessage(new MessageEvent("message", { data })), () => {})
    }

    terminate() {
      this.frame.remove()
    }
  }
}
