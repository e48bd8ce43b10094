// The search of the site runs in a worker, and browsers start none for pages that are opened from disk: there a hidden
// frame does its work, with the part of a worker's interface that the theme uses.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(source) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inside = this.frame.contentWindow;
      window.addEventListener("message", (event) => {
        if (event.source === inside) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      this.ready = new Promise((resolve) => this.frame.addEventListener("load", resolve, { once: true }));
      const page = inside.document;
      page.open();
      page.write(
        "<script>postMessage = (data) => parent.dispatchEvent(" +
          "new MessageEvent('message', { data, source: window }))<\/script>" +
          `<script src="${source}"><\/script>`,
      );
      page.close();
    }
    postMessage(data) {
      this.ready.then(() => {
        const inside = this.frame.contentWindow;
        inside.dispatchEvent(new inside.MessageEvent("message", { data }));
      });
    }
  };
  window.Worker = window.IFrameWorker;
}
