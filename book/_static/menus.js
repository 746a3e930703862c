/* The theme binds its two menus to the first button of their class, which its own header hides, and
   shows a second one without effect (pydata-sphinx-theme 0.17): each hands its clicks on. */
document.addEventListener("DOMContentLoaded", () => {
  for (const name of ["primary-toggle", "secondary-toggle"]) {
    const [first, ...others] = document.querySelectorAll(`button.${name}`);
    for (const other of others) {
      other.addEventListener("click", () => first.click());
    }
  }
});
