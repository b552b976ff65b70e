# Fits every case series of a file by conditional logistic and by Poisson regression.
#
#     Rscript fit_case_series.R pieces.csv fits.csv
#
# pieces.csv: series, person, events, days, x1 ... xk; a term that the series does not have is empty.
# fits.csv: series, method, term (1, 2, ...), estimate, se; a method that gives up on a series has no estimates.
suppressPackageStartupMessages({
  library(survival)
  library(gnm)
})

terms_of <- function(pieces) {
  columns <- grep("^x", names(pieces), value = TRUE)
  columns[!vapply(pieces[columns], function(x) all(is.na(x)), logical(1))]
}

# Each event with all pieces of its person is a stratum; the piece with the event is the case.
by_event <- function(pieces) {
  at <- rep(which(pieces$events > 0), pieces$events[pieces$events > 0])
  strata <- lapply(seq_along(at), function(k) {
    rows <- which(pieces$person == pieces$person[at[k]])
    cbind(pieces[rows, ], case = as.integer(rows == at[k]), stratum = k)
  })
  do.call(rbind, strata)
}

fit_clogit <- function(pieces, terms) {
  formula <- reformulate(c(terms, "offset(log(days))", "strata(stratum)"), response = "case")
  fit <- clogit(formula, by_event(pieces), control = coxph.control(eps = 1e-11, iter.max = 200))
  list(estimate = unname(coef(fit)), se = unname(sqrt(diag(vcov(fit)))))
}

fit_gnm <- function(pieces, terms) {
  pieces$person <- factor(pieces$person)
  fit <- gnm(reformulate(c(terms, "offset(log(days))"), response = "events"), family = poisson, data = pieces,
             eliminate = person, tolerance = 1e-12, iterMax = 500, verbose = FALSE)
  se <- unname(sqrt(diag(as.matrix(unclass(vcov(fit))))))
  list(estimate = unname(coef(fit))[seq_along(terms)], se = se[seq_along(terms)])
}

fits_of <- function(pieces) {
  terms <- terms_of(pieces)
  methods <- list(clogit = fit_clogit, gnm = fit_gnm)
  rows <- lapply(names(methods), function(method) {
    nothing <- list(estimate = rep(NA_real_, length(terms)), se = rep(NA_real_, length(terms)))
    fit <- suppressWarnings(tryCatch(methods[[method]](pieces, terms), error = function(fault) nothing))
    data.frame(series = pieces$series[1], method = method, term = seq_along(terms), estimate = fit$estimate, se = fit$se)
  })
  do.call(rbind, rows)
}

files <- commandArgs(trailingOnly = TRUE)
pieces <- read.csv(files[1])
fits <- do.call(rbind, lapply(split(pieces, pieces$series), fits_of))
write.csv(format(fits, digits = 17), files[2], row.names = FALSE, quote = FALSE)
