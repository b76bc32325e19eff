// Shows the description of the API with Swagger UI. A call tried from the page carries the session's CSRF token.
"use strict";

(() => {
  const place = document.getElementById("api-docs");
  const token = document.querySelector("meta[name=csrf-token]");
  window.SwaggerUIBundle({
    domNode: place,
    url: place.dataset.description,
    deepLinking: true,
    validatorUrl: null,
    requestInterceptor(request) {
      if (token && request.method !== "GET") request.headers["X-CSRFToken"] = token.content;
      return request;
    },
  });
})();
