// A sandboxed page sends no forms, and browsers leave out the event as well, which is what a component waits for.

function submit(form: HTMLFormElement, submitter: HTMLElement | null) {
  const checked = form.noValidate || (submitter instanceof HTMLButtonElement && submitter.formNoValidate) || form.reportValidity();
  if (checked) form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true, submitter }));
}

/** From now on forms say that they are sent; nothing is ever sent by them. */
export function announceForms() {
  addEventListener("click", (event) => {
    const found = event.target instanceof Element ? event.target.closest("button, input") : null;
    const button = found instanceof HTMLButtonElement || found instanceof HTMLInputElement ? found : null;
    if (!button?.form || event.defaultPrevented || !["submit", "image"].includes(button.type)) return;
    event.preventDefault();
    submit(button.form, button);
  });
  HTMLFormElement.prototype.requestSubmit = function (submitter = null) {
    submit(this, submitter);
  };
}
