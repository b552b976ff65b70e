# Writes haven.sas7bdat beside this file: Rscript make.R (Debian: r-cran-haven).
library(haven)
packs <- data.frame(
  PHA_CIP_C13 = c(3400930000001, 3400936512345, 3400937777777, 3400938888888),
  PHA_ATC_C07 = c("N02BE01", "B01AC06", "", "J01CA04"),
  PHA_NOM_PA = c("parac\u00e9tamol", "ac\u00e9tylsalicylique", NA, "amoxicilline"),
  PHA_DTD_ALM = as.Date(c("2001-05-11", "1600-01-01", NA, "2016-02-29")),
  pha_prs_ide = c(3000001, tagged_na("A"), NA, 3888888),
  stringsAsFactors = FALSE
)
attr(packs$PHA_DTD_ALM, "format.sas") <- "DDMMYY10."
write_sas(packs, "haven.sas7bdat")
